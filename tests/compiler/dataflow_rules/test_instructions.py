"""What `check_passes`, `check_edges` and `check_instructions` refuse."""

from collections.abc import Callable
from typing import Any

import pytest

from chip.dataflow import Function
from compiler.dataflow_rules.instructions import (
    check_edges,
    check_instructions,
    check_passes,
)
from compiler.dataflow_rules.statements import Statements
from experiments.sabotage.case import SabotageCase
from sharding.planner.plan import ShardingPlan
from specs.errors import VerificationError
from workloads.model_graph import graph_of

Refused = Callable[..., str]


@pytest.mark.parametrize(
    ("kind", "variant", "case", "why"),
    [
        ("a program for half the context", "both", "decoder", "its passes are 1 of 16"),
        ("a value of another pass read", "statements", "prompt", "of another pass"),
        ("rows of answered positions alone", "statements", "prompt", "answered positi"),
        ("a region that ends before it begins", "statements", "decoder", "end exclusi"),
        (
            "two operators in one instruction",
            "both",
            "decoder",
            "of its own, and needs",
        ),
        ("a product deleted", "statements", "decoder", "no operation is stated"),
        ("a vector operator deleted", "instructions", "decoder", "by no instruction"),
        ("an operator done twice", "statements", "decoder", "of its own, and needs"),
        (
            "an activation before its product",
            "statements",
            "decoder",
            "by other slices",
        ),
    ],
)
def test_what_has_no_meaning_or_is_not_executed_is_refused(
    refused: Refused, kind: str, variant: str, case: str, why: str
) -> None:
    assert why in refused(kind, variant, case)


def test_all_operations_and_instructions_are_looked_at(
    case_of: Callable[[str], SabotageCase],
) -> None:
    case = case_of("prompt")
    assert isinstance(case.plan, ShardingPlan)
    task = case.plan.task
    graph = graph_of(task.model, context=task.context, batch=1)
    statements = Statements(case.program, graph, 1)
    assert check_passes(statements, task) == len(case.flow.passes) == 2
    assert check_instructions(statements) > 2 * len(case.flow.operations)


def test_a_result_under_the_name_of_what_stays_is_refused(
    refusal: Callable[..., str],
) -> None:
    def passes(program: Any) -> int:
        return check_passes(program.statements, program.plan.task)

    # Weights are read in every pass and made in none.
    edit = ("writes", Function.POSITION, "keys", "key_cache")
    assert refusal(passes, "decoder", edit) == "makes a value of another pass"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"first": -1}, "columns -1 to 8 and parts 0 to 1"),
        ({"last": -8}, "columns 0 to 0 and parts 0 to 1"),
        ({"part_first": 1}, "columns 0 to 8 and parts 1 to 1"),
        ({"part_first": -1}, "columns 0 to 8 and parts -1 to 1"),
    ],
)
def test_a_region_without_columns_or_parts_is_refused(
    altered: Callable[..., tuple[Any, str]], change: dict[str, int], why: str
) -> None:
    # Chip 0 makes the keys of one of two heads of eight rows.
    edit = ("writes", Function.POSITION, "keys", change)
    program, _ = altered("decoder", edit)
    with pytest.raises(
        VerificationError, match=rf"{why} .* of layers\.0\.attention\.k"
    ):
        check_edges(program.statements)


def test_an_array_of_two_ranges_of_columns_is_refused(
    altered: Callable[..., tuple[Any, str]], stated: Callable[[str], Any]
) -> None:
    check_edges(stated("decoder").statements)
    again = ("writes", Function.POSITION, "keys", ["keys"])
    program, _ = altered("decoder", again)
    # The same columns twice are of one array, as far as this rule goes.
    check_edges(program.statements)
    shorter = ("writes", Function.POSITION, "keys", {"last": -1, "number": 1})
    program, _ = altered("decoder", again, shorter)
    with pytest.raises(
        VerificationError, match=r"an array of layers\.0\.attention\.ke"
    ):
        check_edges(program.statements)
