"""What the rules of a graph's products refuse: one statement is altered."""

from collections.abc import Callable
from typing import Any

import pytest

from chip.dataflow import Function
from compiler.dataflow_rules.graphs.product_rules import (
    lookup_rows,
    matrix_product,
    needs,
    needs_matrices,
    needs_whole,
    one_region,
    paired_product,
    partial_sum,
    total,
)
from compiler.dataflow_rules.graphs.stated import GraphFacts, Region, StatedOperation
from experiments.sabotage.program_edits import with_rows
from specs.errors import VerificationError

PRODUCT, TOTAL = Function.MATRIX_PRODUCT, Function.TOTAL
PAIRS, LOOKUP = Function.PAIRED_PRODUCT, Function.LOOKUP_ROWS
PARTIAL = Function.PARTIAL_SUM

RULES: dict[Function, Callable[[GraphFacts, StatedOperation], None]] = {
    PRODUCT: matrix_product,
    TOTAL: total,
    PAIRS: paired_product,
    LOOKUP: lookup_rows,
    PARTIAL: partial_sum,
}

FEWER, LATER = {"last": -1}, {"first": 1}
FEWER_PARTS, LATER_PARTS = {"part_last": -1}, {"part_first": 1}

OTHER = "makes another result than that of the weights that it reads"
ONCE = "does not add all parts of what it makes, once"
MATRICES = "makes other parts of scores than matrices"
COLUMNS = "makes other columns than those that it reads of table"


def rule_of(function: Function) -> Callable[[GraphFacts], int]:
    """Return the rule of a function, for all its operations."""

    def rule(facts: GraphFacts) -> int:
        own = [each for each in facts.operations if each.function is function]
        for operation in own:
            RULES[function](facts, operation)
        return len(own)

    return rule


@pytest.mark.parametrize(
    ("program", "function"),
    [
        ("lstm", PRODUCT),
        ("lstm", TOTAL),
        ("experts", PRODUCT),
        ("experts", TOTAL),
        ("half bytes", PRODUCT),
        ("half bytes", TOTAL),
        ("pairs", LOOKUP),
        ("pairs", PAIRS),
        ("rows", PRODUCT),
    ],
)
def test_products_that_follow_by_the_graph_pass(
    graph: Callable[[str], Any], program: str, function: Function
) -> None:
    chips = len(graph(program).plan.chips)
    assert rule_of(function)(graph(program).facts) == chips


@pytest.mark.parametrize(
    ("program", "edits", "why"),
    [
        ("lstm", [("reads", PRODUCT, "w", None)], "states 0 regions of w, and has one"),
        (
            "lstm",
            [("reads", PRODUCT, "w", ["w"])],
            "states 2 regions of w, and has one",
        ),
        # The input x meets the first 16 rows of the weights.
        (
            "lstm",
            [("reads", PRODUCT, "x", None)],
            "does not read elements 0 to 15 of x",
        ),
        (
            "lstm",
            [("reads", PRODUCT, "x", FEWER)],
            "does not read elements 0 to 15 of x",
        ),
        (
            "lstm",
            [("reads", PRODUCT, "x", {"part_last": 1})],
            "does not read elements 0 to 15 of x",
        ),
        (
            "lstm",
            [("reads", PRODUCT, "h", LATER)],
            "does not read elements 0 to 15 of h",
        ),
        # One more row of the weights meets an element of the other input.
        ("lstm", [("reads", PRODUCT, "w", {"last": 1})], "does not read elements 0 to"),
        ("lstm", [("reads", PRODUCT, "w", FEWER)], OTHER),
        ("lstm", [("reads", PRODUCT, "w", {"part_last": -4})], OTHER),
        ("lstm", [("writes", PRODUCT, "gates (partial)", FEWER)], OTHER),
        ("lstm", [("writes", PRODUCT, "gates (partial)", FEWER_PARTS)], OTHER),
        ("lstm", [("writes", PRODUCT, "gates (partial)", LATER_PARTS)], OTHER),
        (
            "lstm",
            [("writes", PRODUCT, "gates (partial)", "gates")],
            "states 0 regions of gates (partial), and has one",
        ),
        (
            "lstm",
            [("reads", PRODUCT, "w", FEWER_PARTS)],
            "parts columns of which a function takes all",
        ),
        (
            "rows",
            [("reads", PRODUCT, "n", FEWER)],
            "does not read elements 0 to 15 of n",
        ),
        ("rows", [("writes", PRODUCT, "h", {"part_last": 1})], OTHER),
        (
            "experts",
            [("reads", PRODUCT, "w[2]", FEWER)],
            "multiplies other parts of some matrices",
        ),
        (
            "experts",
            [("reads", PRODUCT, "w[3]", None)],
            "states 0 regions of w[3], and has one",
        ),
        (
            "experts",
            [("reads", PRODUCT, "choice", FEWER)],
            "does not read elements 0 to 3 of choice",
        ),
        (
            "experts",
            [("reads", PRODUCT, "choice", None)],
            "does not read elements 0 to 3 of choice",
        ),
        ("lstm", [("reads", TOTAL, "gates (partial)", FEWER_PARTS)], ONCE),
        ("lstm", [("reads", TOTAL, "gates (partial)", LATER_PARTS)], ONCE),
        ("lstm", [("reads", TOTAL, "gates (partial)", FEWER)], ONCE),
        ("lstm", [("writes", TOTAL, "gates", LATER)], ONCE),
        ("lstm", [("writes", TOTAL, "gates", {"part_last": 1})], ONCE),
        (
            "lstm",
            [("reads", TOTAL, "gates (partial)", None)],
            "states 0 regions of gates (partial), and has one",
        ),
        (
            "lstm",
            [
                ("reads", TOTAL, "gates (partial)", FEWER),
                ("writes", TOTAL, "gates", FEWER),
            ],
            "parts elements of which a function takes all",
        ),
        # A product of 2 x 8 with 8 x 5 has 10 elements.
        ("pairs", [("writes", PAIRS, "scores", FEWER)], MATRICES),
        ("pairs", [("writes", PAIRS, "scores", {"first": 5})], MATRICES),
        ("pairs", [("writes", PAIRS, "scores", {"part_last": 1})], MATRICES),
        (
            "pairs",
            [("writes", PAIRS, "scores", {"last": 10})],
            "does not read elements 0 to 79 of keys",
        ),
        (
            "pairs",
            [("reads", PAIRS, "keys", FEWER)],
            "does not read elements 0 to 39 of keys",
        ),
        (
            "pairs",
            [("reads", PAIRS, "queries", LATER)],
            "does not read elements 0 to 95 of queries",
        ),
        ("pairs", [("reads", LOOKUP, "table", FEWER)], COLUMNS),
        ("pairs", [("reads", LOOKUP, "table", LATER)], COLUMNS),
        ("pairs", [("reads", LOOKUP, "table", FEWER_PARTS)], COLUMNS),
        ("pairs", [("writes", LOOKUP, "queries", FEWER)], COLUMNS),
        ("pairs", [("writes", LOOKUP, "queries", {"part_last": 1})], COLUMNS),
        (
            "pairs",
            [("reads", LOOKUP, "number", FEWER)],
            "does not read elements 0 to 11 of number",
        ),
    ],
)
def test_a_product_that_does_not_follow_from_what_it_reads_is_refused(
    graph_refusal: Callable[..., str], program: str, edits: list[Any], why: str
) -> None:
    message = graph_refusal(rule_of(edits[0][1]), program, *edits)
    assert message.startswith(why)


def test_a_partial_sum_makes_the_parts_that_it_reads(
    graph: Callable[[str], Any],
) -> None:
    program = graph("gathered")
    table, reads = program.flow.operations, program.flow.reads
    own = next(n for n, each in enumerate(table.function) if each == TOTAL)
    read = next(n for n, each in enumerate(reads.owner) if each == own)
    made = next(n for n, each in enumerate(program.flow.writes.owner) if each == own)
    edges = ("value", "first", "last", "part_first", "part_last")
    same = {name: int(getattr(reads, name)[read]) for name in edges}

    def summed(**region: int) -> GraphFacts:
        """Return facts in which a sum of all parts keeps them as parts."""
        facts: GraphFacts = program.stating(
            operations=with_rows(table, own, function=int(PARTIAL)),
            writes=with_rows(program.flow.writes, made, **{**same, **region}),
        ).facts
        return facts

    assert rule_of(PARTIAL)(summed()) == 1
    for region in ({"part_first": 1}, {"last": same["last"] - 1}):
        with pytest.raises(VerificationError, match=r"chip 0 .*: adds other parts"):
            rule_of(PARTIAL)(summed(**region))
    whole = {"value": [v.name for v in program.flow.values].index("c")}
    complete = program.stating(
        operations=with_rows(table, own, function=int(PARTIAL)),
        reads=with_rows(reads, read, **whole),
        writes=with_rows(program.flow.writes, made, **{**same, **whole}),
    )
    with pytest.raises(VerificationError, match="adds up c, which has no parts"):
        rule_of(PARTIAL)(complete.facts)


def reading(**reads: list[Region]) -> StatedOperation:
    """Return an operation that reads regions of values."""
    return StatedOperation(0, 0, 0, "op", PRODUCT, dict(reads), {})


def test_an_operation_has_one_region_of_a_value(graph: Callable[[str], Any]) -> None:
    facts, one = graph("lstm").facts, Region(0, 4, 0, 1)
    for found in ([], [one, one]):
        operation = reading(x=found)
        with pytest.raises(
            VerificationError, match=f"states {len(found)} regions of x"
        ):
            one_region(facts, operation, operation.reads, "x")
    operation = reading(x=[one])
    assert one_region(facts, operation, operation.reads, "x") == one


def test_a_range_is_read_complete_and_in_one_region(
    graph: Callable[[str], Any],
) -> None:
    facts = graph("lstm").facts
    needs(facts, reading(x=[Region(0, 2, 0, 1), Region(2, 16, 0, 1)]), "x", 3, 9)
    # Nothing is needed of an empty range.
    needs(facts, reading(), "x", 5, 5)
    for region in (Region(4, 9, 0, 1), Region(3, 8, 0, 1), Region(3, 9, 0, 2)):
        with pytest.raises(VerificationError, match="not read elements 3 to 8 of x"):
            needs(facts, reading(x=[region]), "x", 3, 9)


def test_a_whole_value_has_all_its_elements(graph: Callable[[str], Any]) -> None:
    facts = graph("lstm").facts
    needs_whole(facts, reading(x=[Region(0, 16, 0, 1)]), "x")
    with pytest.raises(VerificationError, match="does not read elements 0 to 15 of x"):
        needs_whole(facts, reading(x=[Region(0, 15, 0, 1)]), "x")


def test_whole_weights_are_all_rows_and_columns_of_every_matrix(
    graph: Callable[[str], Any],
) -> None:
    facts = graph("experts").facts
    # Four matrices of 8 x 6.
    whole = {f"w[{number}]": [Region(0, 8, 0, 6)] for number in range(4)}
    needs_matrices(facts, reading(**whole), facts.tensors["w"])
    for part in (Region(0, 7, 0, 6), Region(0, 8, 1, 6)):
        less = {**whole, "w[2]": [part]}
        with pytest.raises(VerificationError, match=r"does not read all of w\[2\]"):
            needs_matrices(facts, reading(**less), facts.tensors["w"])
    del whole["w[3]"]
    with pytest.raises(VerificationError, match=r"states 0 regions of w\[3\]"):
        needs_matrices(facts, reading(**whole), facts.tensors["w"])
