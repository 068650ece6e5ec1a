"""What is stated of a graph is the graph, all of it, once."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from chip.dataflow import Function, Pass
from compiler.dataflow_rules.graphs.completeness import check_complete, check_stated
from experiments.sabotage.program_edits import chosen_rows, with_rows
from specs.errors import VerificationError

PRODUCT, TOTAL, VECTOR = Function.MATRIX_PRODUCT, Function.TOTAL, Function.VECTOR
PROGRAMS = ("lstm", "pairs", "experts", "rows", "sum", "unknown", "half bytes")
FEWER = {"last": -1}


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_of_the_graph_states_all_of_it_once(
    graph: Callable[[str], Any], program: str
) -> None:
    valid = graph(program)
    stated = len(valid.flow.operations) + len(valid.flow.values)
    assert check_stated(valid.facts) == stated
    assert check_complete(valid.facts) == len(valid.plan.workload.operators)


def without(program: Any, function: Function) -> Any:
    """Return a program in which the first operation of a function makes nothing."""
    table, writes = program.flow.operations, program.flow.writes
    own = next(n for n, each in enumerate(table.function) if each == function)
    kept = np.flatnonzero(writes.owner != own)
    return program.stating(writes=chosen_rows(writes, kept))


@pytest.mark.parametrize(
    ("program", "function", "output"),
    [
        ("lstm", PRODUCT, "gates"),
        ("lstm", TOTAL, "gates"),
        ("lstm", VECTOR, "cell'"),
        ("pairs", Function.LOOKUP_ROWS, "queries"),
        ("pairs", Function.PAIRED_PRODUCT, "scores"),
        ("sum", PRODUCT, "h"),
        ("sum", VECTOR, "y"),
    ],
)
def test_a_part_that_no_chip_computes_is_missed(
    graph: Callable[[str], Any], program: str, function: Function, output: str
) -> None:
    with pytest.raises(
        VerificationError, match=f"do not compute each element of {output} once"
    ):
        check_complete(without(graph(program), function).facts)


@pytest.mark.parametrize(
    ("program", "edit", "output"),
    [
        ("lstm", ("writes", PRODUCT, "gates (partial)", {"part_last": -1}), "gates"),
        ("lstm", ("writes", PRODUCT, "gates (partial)", {"last": 1}), "gates"),
        ("lstm", ("writes", TOTAL, "gates", {"last": 16}), "gates"),
        ("lstm", ("writes", VECTOR, "h'", {"first": 4, "last": 4}), "h'"),
        # Partial sums beside the whole product are one too many.
        ("sum", ("writes", PRODUCT, "h", ["h (partial)"]), "h"),
        ("pairs", ("writes", Function.LOOKUP_ROWS, "queries", FEWER), "queries"),
    ],
)
def test_a_part_that_is_computed_twice_or_not_in_full_is_refused(
    changed: Callable[..., tuple[Any, str]], program: str, edit: Any, output: str
) -> None:
    altered, _ = changed(program, edit)
    with pytest.raises(
        VerificationError, match=f"do not compute each element of {output} once"
    ):
        check_complete(altered.facts)


def test_a_function_of_rows_may_run_on_one_chip_or_on_all(
    graph: Callable[[str], Any], changed: Callable[..., tuple[Any, str]]
) -> None:
    # Of two chips one still makes all of it.
    assert check_complete(without(graph("rows"), VECTOR).facts) == 3
    halved, _ = changed("rows", ("writes", VECTOR, "n", FEWER))
    with pytest.raises(VerificationError, match="each element of n once"):
        check_complete(halved.facts)


@pytest.mark.parametrize(
    ("program", "edit", "why"),
    [
        ("lstm", ("reads", TOTAL, "gates (partial)", ["x"]), "reads x, for which"),
        ("lstm", ("reads", PRODUCT, "x", ["cell"]), "reads cell, for which"),
        ("rows", ("reads", VECTOR, "x", ["h"]), "reads h, for which"),
        ("lstm", ("writes", TOTAL, "gates", ["h'"]), "makes h', for which"),
        ("sum", ("writes", VECTOR, "y", ["h"]), "makes h, for which"),
    ],
)
def test_a_value_of_which_an_operator_has_no_use_is_refused(
    graph_refusal: Callable[..., str], program: str, edit: Any, why: str
) -> None:
    message = graph_refusal(check_stated, program, edit)
    assert message == f"{why} the graph has no use there"


def test_an_operation_is_of_the_function_that_the_graph_has(
    graph: Callable[[str], Any],
) -> None:
    program = graph("lstm")
    table, names = program.flow.operations, program.flow.names
    own = next(n for n, each in enumerate(table.function) if each == VECTOR)
    for column, value, why in (
        ("function", int(TOTAL), "cell on chip 0 .*is stated as TOTAL, and is VECTOR"),
        ("name", names.index("gates"), "is stated as VECTOR, and is MATRIX_PRODUCT"),
        ("function", int(Function.SOFTMAX), "as SOFTMAX, and is VECTOR"),
    ):
        other = program.stating(operations=with_rows(table, own, **{column: value}))
        with pytest.raises(VerificationError, match=why):
            check_stated(other.facts)
    unknown = program.stating(names=("gates", "other"))
    with pytest.raises(VerificationError, match="VECTOR, and is not in the graph"):
        check_stated(unknown.facts)


def test_values_are_those_of_the_graph(graph: Callable[[str], Any]) -> None:
    program = graph("lstm")
    for place, value in enumerate(program.flow.values):
        for other in (
            value._replace(name="other"),
            value._replace(answered=True),
            value._replace(number=-1 - value.number),
        ):
            values = list(program.flow.values)
            values[place] = other
            with pytest.raises(
                VerificationError, match=r"states a value .*, which is not in the graph"
            ):
                check_stated(program.stating(values=tuple(values)).facts)


def test_an_iteration_is_no_pass_of_a_model(graph: Callable[[str], Any]) -> None:
    passes = (Pass(2, 1, 1, 1), Pass(3, 1, 1, 1))
    with pytest.raises(VerificationError, match="it states 2 passes of a model"):
        check_stated(graph("lstm").stating(passes=passes).facts)


@pytest.mark.parametrize("table", ["reads", "writes", "carried"])
def test_a_region_does_not_end_before_it_begins(
    graph: Callable[[str], Any], table: str
) -> None:
    program = graph("lstm")
    regions = getattr(program.flow, table)
    for edges in (
        {"last": regions.first[0]},
        {"part_last": regions.part_first[0]},
        {"first": -1},
        {"part_first": -1},
    ):
        turned = program.stating(**{table: with_rows(regions, 0, **edges)})
        with pytest.raises(VerificationError, match="that ends before it begins"):
            check_stated(turned.facts)


def test_what_shares_an_instruction_is_chained_in_the_graph(
    graph: Callable[[str], Any],
) -> None:
    program = graph("rows")
    table = program.flow.operations
    # The norm and the product behind it, which no instruction does at once.
    first = np.flatnonzero(table.operator < 2)
    shared = program.stating(operations=with_rows(table, first, operator=0, chip=0))
    with pytest.raises(
        VerificationError, match=r"on chip 0 .*: is chained to what the graph does not"
    ):
        check_stated(shared.facts)
