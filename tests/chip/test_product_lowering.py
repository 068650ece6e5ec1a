from chip.functional_units import SlicePort
from chip.lowering import lower
from chip.operator_cycles import work_cycles
from chip.operator_work import ProductWork, VectorWork
from chip.product_lowering import lower_product, streaming_cycles
from specs.machine import ChipSpec

PRODUCT = ProductWork(
    weights=400,
    stored_bytes=400,
    operand_bytes=1,
    batch=1,
    input_bytes=20,
    output_bytes=20,
)
# Port, first cycle, cycles, bytes: each a sixth of the fill behind the one before.
STEPS = [
    (SlicePort.MEM_READ, 0, 20, 400),
    (SlicePort.MEM_READ, 0, 30, 20),
    (SlicePort.MXM_LOAD, 5, 20, 400),
    (SlicePort.MXM_INSTALL, 10, 20, 400),
    (SlicePort.MXM_MULTIPLY, 15, 20, 20),
    (SlicePort.MXM_ACCUMULATE, 20, 25, 20),
    (SlicePort.MEM_WRITE, 25, 25, 20),
]


def steps_of(chip: ChipSpec, work: ProductWork) -> list[tuple[int, int, int, int]]:
    return [
        (step.port, step.start_cycle, step.duration_cycles, step.bytes)
        for step in lower_product(chip, work)
    ]


def test_a_product_reads_its_matrix_for_its_length_without_the_fill(
    small_chip: ChipSpec,
) -> None:
    assert streaming_cycles(small_chip, PRODUCT) == 20


def test_a_product_flows_from_slice_to_slice(small_chip: ChipSpec) -> None:
    assert steps_of(small_chip, PRODUCT) == STEPS
    assert work_cycles(small_chip, PRODUCT) == 25 + 25
    assert lower(small_chip, PRODUCT) == lower_product(small_chip, PRODUCT)


def test_a_chain_takes_results_and_the_operands_beside_them(
    small_chip: ChipSpec,
) -> None:
    chained = PRODUCT._replace(chain=VectorWork(20, 8))
    assert steps_of(small_chip, chained) == [
        *STEPS[:-1],
        (SlicePort.MEM_READ, 20, 25, 20),
        (SlicePort.VXM, 20, 25, 20 + 20),
        STEPS[-1],
    ]


def test_preloaded_weights_are_installed_before_the_rest(small_chip: ChipSpec) -> None:
    ahead = PRODUCT._replace(ready_bytes=400, preloaded_bytes=100)
    loads = [step for step in steps_of(small_chip, ahead) if step[0] in LOADING]
    assert loads == [
        (SlicePort.MXM_LOAD, 5, 15, 300),
        (SlicePort.MXM_INSTALL, 0, 5, 100),
        (SlicePort.MXM_INSTALL, 10, 15, 300),
    ]


LOADING = (SlicePort.MXM_LOAD, SlicePort.MXM_INSTALL)
