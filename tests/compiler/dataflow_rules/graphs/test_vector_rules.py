"""What the rules of a graph's vector operators refuse: one statement is altered."""

from collections.abc import Callable
from typing import Any

import pytest

from chip.dataflow import Function
from compiler.dataflow_rules.graphs.stated import GraphFacts
from compiler.dataflow_rules.graphs.vector_rules import vector

VECTOR = Function.VECTOR
FEWER, LATER = {"last": -1}, {"first": 1}


def vectors(facts: GraphFacts) -> int:
    own = [each for each in facts.operations if each.function is VECTOR]
    for operation in own:
        vector(facts, operation)
    return len(own)


@pytest.mark.parametrize(
    ("program", "count"),
    # A norm and a softmax on both chips; a chained function on each chip.
    [("rows", 4), ("lstm", 4), ("sum", 2), ("unknown", 2)],
)
def test_vector_operators_that_follow_by_the_graph_pass(
    graph: Callable[[str], Any], program: str, count: int
) -> None:
    assert vectors(graph(program).facts) == count


@pytest.mark.parametrize(
    ("program", "edits", "why"),
    [
        (
            "rows",
            [("reads", VECTOR, "x", FEWER)],
            "does not read elements 0 to 15 of x",
        ),
        ("rows", [("reads", VECTOR, "x", None)], "does not read elements 0 to 15 of x"),
        (
            "rows",
            [("reads", VECTOR, "h", {"part_last": 1})],
            "does not read elements 0 to 11 of h",
        ),
        (
            "rows",
            [("reads", VECTOR, "scale", {"part_last": -1})],
            "does not read all of scale",
        ),
        (
            "rows",
            [("reads", VECTOR, "scale", None)],
            "states 0 regions of scale, and has one",
        ),
        ("rows", [("writes", VECTOR, "n", None)], "states 0 regions of n, and has one"),
        # A function of whole rows makes all of them, or nothing.
        (
            "rows",
            [("writes", VECTOR, "n", FEWER)],
            "makes a part of its results, and reads no part",
        ),
        (
            "rows",
            [("writes", VECTOR, "p", {"part_last": 1})],
            "makes a part of its results, and reads no part",
        ),
        (
            "lstm",
            [("reads", VECTOR, "gates", FEWER)],
            "does not read elements 0 to 15 of gates",
        ),
        (
            "lstm",
            [("reads", VECTOR, "gates", {"first": 16, "last": 16})],
            "does not read elements 0 to 15 of gates",
        ),
        (
            "lstm",
            [("reads", VECTOR, "cell", LATER)],
            "does not read elements 0 to 3 of cell",
        ),
        (
            "lstm",
            [("writes", VECTOR, "h'", LATER)],
            "makes different places of its results",
        ),
        (
            "lstm",
            [("writes", VECTOR, "cell'", {"part_last": 1})],
            "makes different places of its results",
        ),
        ("sum", [("reads", VECTOR, "h", FEWER)], "does not read elements 0 to 5 of h"),
        ("sum", [("reads", VECTOR, "r", LATER)], "does not read elements 0 to 5 of r"),
        ("sum", [("reads", VECTOR, "r", None)], "does not read elements 0 to 5 of r"),
        (
            "sum",
            [("writes", VECTOR, "y", {"last": 1})],
            "does not read elements 0 to 6 of h",
        ),
        # Of a function that is not known, the operands must be read.
        ("unknown", [("reads", VECTOR, "r", None)], "does not read r"),
        (
            "unknown",
            [("reads", VECTOR, "r", {"part_last": 1})],
            "reads parts of r that are no sum",
        ),
        (
            "unknown",
            [("writes", VECTOR, "y", {"part_last": 1})],
            "makes something that is not complete",
        ),
        ("unknown", [("reads", VECTOR, "h", None)], "does not read h"),
        (
            "unknown",
            [("reads", VECTOR, "h", {"last": -2})],
            "makes another share of y than it reads of its input",
        ),
    ],
)
def test_a_result_of_other_elements_than_it_reads_is_refused(
    graph_refusal: Callable[..., str], program: str, edits: list[Any], why: str
) -> None:
    assert graph_refusal(vectors, program, *edits) == why
