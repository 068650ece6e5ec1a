"""Amounts of linear attention: two value heads of a chip, one token."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from chip.dataflow import Function
from compiler.dataflow_rules.linear.amounts import linear_elements, linear_needs
from compiler.dataflow_rules.operation_amounts import OperationAmounts
from compiler.dataflow_rules.value_sizes import ValueSizes
from compiler.dataflow_rules.work import check_work
from specs.errors import VerificationError

Stated = Callable[[str], Any]


def all_amounts(program: Any) -> OperationAmounts:
    task, statements = program.plan.task, program.statements
    sizes = ValueSizes(statements, task.machine.formats, encoder=False)
    return OperationAmounts(statements, sizes, task)


def test_a_delta_rule_takes_the_elements_of_its_states(stated: Stated) -> None:
    statements = stated("linear").statements
    ((own, elements),) = linear_elements(statements)
    assert own.tolist() == statements.of(Function.DELTA_RULE).tolist()
    # Two heads of 6 x 5.
    assert elements.tolist() == [60, 60]
    assert linear_elements(stated("decoder").statements) == ()


def test_states_are_passed_twice_and_taps_read_at_once(stated: Stated) -> None:
    statements = stated("linear").statements
    operands, passes, bits = linear_needs(statements)
    rule, taps = (
        statements.of(each) for each in (Function.DELTA_RULE, Function.CONVOLVE)
    )
    assert passes[rule].tolist() == [2, 2]
    assert bits[rule].tolist() == [32, 32]
    assert operands[taps].tolist() == [6, 6]
    assert not any(map(np.any, linear_needs(stated("decoder").statements)))


@pytest.mark.parametrize(
    ("function", "changes", "why"),
    [
        (Function.DELTA_RULE, {"elements": 59}, "takes fewer elements than its"),
        (Function.DELTA_RULE, {"passes": 1}, "takes fewer passes over what it reads"),
        (Function.DELTA_RULE, {"element_bits": 16}, "takes elements of fewer bits"),
        (Function.CONVOLVE, {"operands": 5}, "reads fewer vectors at once"),
        (Function.UNIT_NORM, {"reductions": 0}, "reduces fewer vectors"),
        (Function.GATED_NORM, {"passes": 1}, "takes fewer passes over what it reads"),
        (Function.OUTPUT_GATE, {"operands": 1}, "reads fewer vectors at once"),
    ],
)
def test_less_work_is_refused(
    stated: Stated, function: Function, changes: dict[str, int], why: str
) -> None:
    valid = stated("linear")
    task = valid.plan.task
    assert check_work(valid.statements, all_amounts(valid), task) > 0
    other = valid.working(int(valid.statements.of(function)[0]), **changes)
    with pytest.raises(VerificationError, match=why):
        check_work(other.statements, all_amounts(other), task)
