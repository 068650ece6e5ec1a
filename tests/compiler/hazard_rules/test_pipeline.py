import numpy as np
import pytest

from chip.lowering import lower
from chip.operator_cycles import drain_cycles, preloaded, work_cycles
from chip.operator_work import ProductWork, Shape
from chip.program import OperatorKind
from compiler.hazard_rules.pipeline import follows_in_pipeline
from specs.machine import load_machine

CHIP = load_machine().chip


def kind(rounds: int, loaded: int = 0) -> OperatorKind:
    # Four tiles are a round in INT8 mode.
    shape = Shape((4 * rounds * 320,), (320,))
    work = ProductWork(shape, 1, shape.elements, 1, 4096, 4096, ready_rounds=rounds)
    work = preloaded(CHIP, work, loaded)
    return OperatorKind(work, lower(CHIP, work))


def free(earlier: OperatorKind, later: OperatorKind, apart: int) -> bool:
    kinds = [earlier, later]
    pair = (np.array([number]) for number in (0, 1, apart))
    return bool(follows_in_pipeline(kinds, *pair)[0])


@pytest.mark.parametrize("loaded", [0, 1])
def test_a_product_may_start_when_the_one_before_it_drains(loaded: int) -> None:
    earlier, later = kind(40), kind(8, loaded)
    start = work_cycles(CHIP, earlier.work) - drain_cycles(CHIP)
    assert free(earlier, later, start)
    assert free(earlier, later, start + 1000)


def test_a_product_does_not_start_before_that() -> None:
    earlier, later = kind(40), kind(8, 1)
    start = work_cycles(CHIP, earlier.work) - drain_cycles(CHIP)
    assert not free(earlier, later, start - 60)


def test_what_is_no_kind_of_operator_never_overlaps() -> None:
    one, none = np.array([0]), np.array([-1])
    assert not follows_in_pipeline([kind(8)], one, none, np.array([10**6])).any()
