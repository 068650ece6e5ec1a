import pytest

from chip.functional_units import SlicePort
from chip.lowering import lower
from chip.operator_cycles import preloaded, streaming_cycles, work_cycles
from chip.operator_work import ProductWork, Shape, VectorWork
from chip.product_lowering import lower_product
from specs.chip import ChipSpec
from specs.machine import load_machine

# Six tiles of 10 x 10: two rounds that load in 20 cycles, install in 3 and multiply in
# 5, so one every 28.
PRODUCT = ProductWork(
    shape=Shape((25,), (20,)),
    rows=5,
    stored_bytes=500,
    operand_bytes=1,
    input_bytes=125,
    output_bytes=100,
    ready_rounds=2,
)
# Port, first cycle, cycles, bytes, repeats: each a sixth of the fill, 5 cycles, behind
# the one before. Results leave from the first row on, 28 + 5 = 33, until a part before
# the end, 56 + 30 - 5 = 81.
STEPS = [
    (SlicePort.MEM_READ, 0, 20, 500, 2),
    (SlicePort.MXM_LOAD, 5, 20, 800, 2),
    (SlicePort.MEM_READ, 0, 56, 125, 1),
    (SlicePort.MXM_INSTALL, 25, 3, 800, 2),
    (SlicePort.MXM_MULTIPLY, 28, 5, 125, 2),
    (SlicePort.MXM_ACCUMULATE, 33, 48, 100, 1),
    (SlicePort.MEM_WRITE, 38, 48, 100, 1),
]


def steps_of(
    chip: ChipSpec, work: ProductWork
) -> list[tuple[SlicePort, int, int, int, int]]:
    return [
        (step.port, step.start_cycle, step.duration_cycles, step.bytes, step.repeats)
        for step in lower_product(chip, work)
    ]


def test_a_product_flows_from_slice_to_slice(small_chip: ChipSpec) -> None:
    assert streaming_cycles(small_chip, PRODUCT) == 56
    assert steps_of(small_chip, PRODUCT) == STEPS
    assert work_cycles(small_chip, PRODUCT) == 38 + 48
    assert lower(small_chip, PRODUCT) == lower_product(small_chip, PRODUCT)


def test_rounds_repeat_after_the_cycles_of_a_round(small_chip: ChipSpec) -> None:
    steps = lower_product(small_chip, PRODUCT)
    assert {step.interval_cycles for step in steps if step.repeats > 1} == {28}
    assert sum(step.macs for step in steps) == 500 * 5


def test_a_chain_takes_results_once_all_are_there(small_chip: ChipSpec) -> None:
    # Ten vectors of ten, two passes: 20 cycles behind the results, on which the fill
    # that is left, 5 cycles, follows.
    chained = PRODUCT._replace(chain=VectorWork(100, 8, passes=2))
    assert steps_of(small_chip, chained) == [
        *STEPS[:-1],
        (SlicePort.MEM_READ, 81, 20, 200, 1),
        (SlicePort.VXM, 81, 20, 100 + 200, 1),
        (SlicePort.MEM_WRITE, 86, 20, 200, 1),
    ]


def test_preloaded_rounds_are_installed_before_the_rest(small_chip: ChipSpec) -> None:
    loads = [
        step
        for step in steps_of(small_chip, preloaded(small_chip, PRODUCT, 1))
        if step[0] in ROUNDS
    ]
    # The first installs at once and multiplies in 3 + 5 cycles; the other loads then.
    assert loads == [
        (SlicePort.MXM_LOAD, 5 + 8, 20, 400, 1),
        (SlicePort.MXM_INSTALL, 5, 3, 400, 1),
        (SlicePort.MXM_MULTIPLY, 5 + 3, 5, 62, 1),
        (SlicePort.MXM_INSTALL, 5 + 28, 3, 400, 1),
        (SlicePort.MXM_MULTIPLY, 5 + 31, 5, 63, 1),
    ]


def test_a_round_loads_while_the_one_before_multiplies(small_chip: ChipSpec) -> None:
    chip = small_chip.model_copy(update={"overlap_load": True})
    loads = [step for step in steps_of(chip, PRODUCT) if step[0] in ROUNDS]
    # 20 cycles to load and 3 to install; then the other loads for 20.
    assert loads == [
        (SlicePort.MXM_LOAD, 5, 20, 400, 1),
        (SlicePort.MXM_LOAD, 5 + 23, 20, 400, 1),
        (SlicePort.MXM_INSTALL, 5 + 20, 3, 800, 2),
        (SlicePort.MXM_MULTIPLY, 5 + 23, 5, 125, 2),
    ]


def test_narrow_weights_pass_the_vxm_as_they_load(small_chip: ChipSpec) -> None:
    chip = small_chip.model_copy(update={"widening_operations": 3})
    narrow = PRODUCT._replace(stored_bytes=250)
    # 400 weights of three operations on 40 ALUs take 30 cycles, longer than the feed.
    assert steps_of(chip, narrow)[:3] == [
        (SlicePort.MEM_READ, 0, 30, 250, 2),
        (SlicePort.MXM_LOAD, 5, 30, 800, 2),
        (SlicePort.VXM, 5, 30, 250, 2),
    ]


@pytest.mark.parametrize(("mode", "streams"), [(1, 16), (2, 4)])
def test_sums_of_four_bytes_leave_each_tile(mode: int, streams: int) -> None:
    # Of many rows of a single round: four tiles a cycle, or two in two cycles.
    chip = load_machine().chip
    shape = Shape((320,), (1280 // mode,))
    work = ProductWork(shape, 10_000, shape.elements * mode, mode, 1, 1)
    out = next(
        step
        for step in lower_product(chip, work)
        if step.port is SlicePort.MXM_ACCUMULATE
    )
    assert out.east + out.west == streams


def test_each_round_multiplies_even_if_its_share_of_the_vectors_is_no_byte() -> None:
    # One element of two bytes meets 1,500 columns: five tiles, three rounds of FP16.
    chip = load_machine().chip
    outer = ProductWork(Shape((1,), (1500,)), 1, 1500, 2, 2, 3000, ready_rounds=1)
    steps = lower_product(chip, preloaded(chip, outer, 1))
    multiplies = [step for step in steps if step.port is SlicePort.MXM_MULTIPLY]
    assert [(s.bytes, s.macs, s.repeats) for s in multiplies] == [
        (0, 500, 1),
        (2, 1000, 2),
    ]


ROUNDS = (SlicePort.MXM_LOAD, SlicePort.MXM_INSTALL, SlicePort.MXM_MULTIPLY)
