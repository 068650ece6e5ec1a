"""Which operators of a real program with overlap may run at the same time."""

from dataclasses import replace

import numpy as np
import pytest

from chip.program import Program, Slice
from compiler.hazard_rules.independence import independent
from compiler.hazard_rules.structure import check_exclusive, check_operators
from experiments.sabotage.case import SabotageCase
from experiments.sabotage.schedules import overlapped_decoder
from specs.errors import VerificationError


@pytest.fixture(scope="module")
def case() -> SabotageCase:
    return overlapped_decoder()


def running(program: Program) -> list[tuple[int, int, int]]:
    """Return chip, exchange and product where a product runs beside an exchange."""
    code = program.instructions
    end = code.start_cycle + code.duration_cycles
    trains = code.train >= 0
    found = []
    for operator in np.unique(code.operator[trains]).tolist():
        for chip in np.unique(code.chip[trains]).tolist():
            own = trains & (code.operator == operator) & (code.chip == chip)
            if not own.any():
                continue
            begins, ends = int(code.start_cycle[own].min()), int(end[own].max())
            beside = (code.chip == chip) & (code.slice == Slice.MXM)
            beside &= (code.start_cycle < ends) & (end > begins)
            found += [(chip, operator, int(n)) for n in code.operator[beside]]
    return sorted(found)


def test_products_run_beside_exchanges_and_are_independent(case: SabotageCase) -> None:
    pairs = running(case.program)
    assert {chip for chip, _, _ in pairs} == {0, 1}
    columns = np.array(pairs).T
    assert independent(case.program, *columns).all()
    assert check_operators(case.program, case.machine) > 0
    assert check_exclusive(case.program) > 0


def test_what_follows_an_exchange_depends_on_it(case: SabotageCase) -> None:
    chip, exchange, beside = np.array(running(case.program)).T
    assert not independent(case.program, chip, exchange, beside + 1).any()
    assert not independent(case.program, chip, exchange - 1, exchange).any()


def test_a_program_that_states_nothing_runs_nothing_at_the_same_time(
    case: SabotageCase,
) -> None:
    silent = replace(case.program, dataflow=None)
    columns = np.array(running(case.program)).T
    assert not independent(silent, *columns).any()
    with pytest.raises(VerificationError, match="an operand is late"):
        check_operators(silent, case.machine)
