import pytest

from chip.lowering import lower
from chip.operator_work import LookupWork, VectorWork, Work
from chip.program import OperatorKind
from compiler.energy.operation_energy import (
    OperationEnergy,
    operator_energy,
    vector_energy,
    wire_energy,
)
from compiler.energy.program_energy import program_energy
from experiments.run.scenario import run_scenario
from specs.machine import load_machine
from specs.scenario import Scenario
from specs.system import PowerSpec

MACHINE = load_machine()
# Round numbers, each of another size: a byte on a stream takes 8 x 0.5 x 2 = 8 pJ.
POWER = PowerSpec(
    operation_scale=0.5,
    mac_int8_pj=1,
    mac_fp16_pj=10,
    vector_operation_pj=100,
    sram_read_pj_per_byte=3,
    sram_write_pj_per_byte=5,
    wire_pj_per_bit_mm=0.5,
    stream_mm=2,
    port_pj_per_bit=2,
    port_idle_share=0.75,
    optical_end_w=0,
)


def in_pj(work: Work, power: PowerSpec = POWER) -> OperationEnergy:
    """Return the energy of a work before it is scaled, in pJ."""
    kind = OperatorKind(work, lower(MACHINE.chip, work))
    energy = operator_energy(kind, power)
    return OperationEnergy(*(part / power.operation_scale / 1e-12 for part in energy))


def test_a_vector_operator_takes_its_operations_and_what_it_reads_and_writes() -> None:
    # Two passes of three operations on 640 elements of two bytes, two operands.
    work = VectorWork(640, 16, operations=3, passes=2, operands=2)
    spent = in_pj(work)
    assert spent.vector == pytest.approx(100 * 2 * 3 * 640)
    read, written = 2 * 2 * 640 * 2, 2 * 640 * 2
    assert (read, written) == (work.read_bytes, work.written_bytes)
    assert spent.sram == pytest.approx(3 * read + 5 * written)
    assert spent.stream == pytest.approx(8 * (read + written))
    assert spent.matrix == spent.link == 0


def test_what_the_sxm_permutes_takes_a_stream_once_more() -> None:
    plain = in_pj(VectorWork(320, 16))
    reordered = in_pj(VectorWork(320, 16, reorders=True))
    assert reordered.stream == pytest.approx(2 * plain.stream)
    assert reordered.sram == pytest.approx(plain.sram)


@pytest.mark.parametrize(("name", "mac_pj"), [("int8", 1), ("fp16", 10)])
def test_a_product_takes_its_multiplications_in_the_mode_of_its_operands(
    name: str, mac_pj: int
) -> None:
    scenario = Scenario(workload=f"gemm:32x640x320:{name}", tokens=1, engine="replay")
    schedule = run_scenario(scenario).schedule
    machine = MACHINE.with_settings(
        {f"power.{key}": value for key, value in POWER.model_dump().items()}
    )
    spent = program_energy(schedule.program, schedule.topology, machine).total
    assert spent.matrix == pytest.approx(0.5e-12 * mac_pj * 32 * 640 * 320)
    size = 1 if name == "int8" else 2
    # The matrix and the vectors once, for each column of tiles, and the results.
    least = size * (640 * 320 + 32 * 640)
    assert spent.sram >= 0.5e-12 * (3 * least + 5 * size * 32 * 320)
    assert spent.vector == spent.link == 0


def test_a_look_up_is_read_and_written() -> None:
    spent = in_pj(LookupWork(640))
    assert spent.sram == pytest.approx((3 + 5) * 640)


def test_a_vector_is_read_where_it_starts_and_written_where_it_ends() -> None:
    read, written = (vector_energy(POWER, 320, read=each) for each in (True, False))
    assert read.sram == pytest.approx(0.5e-12 * 3 * 320)
    assert written.sram == pytest.approx(0.5e-12 * 5 * 320)
    assert read.stream == written.stream == pytest.approx(0.5e-12 * 8 * 320)


def test_a_link_takes_for_a_vector_what_it_does_not_take_when_idle() -> None:
    # A quarter of 2 pJ for each of 328 x 8 bits; it is not scaled with the process.
    assert wire_energy(POWER, MACHINE.link).total == pytest.approx(0.5e-12 * 328 * 8)
    always = POWER.model_copy(update={"port_idle_share": 1})
    assert wire_energy(always, MACHINE.link).total == 0
