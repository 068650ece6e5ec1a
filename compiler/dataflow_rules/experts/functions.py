"""Routing rules: scores of experts by all columns, and a choice by all scores.

For `compiler.verify`; independent of the code that makes programs.
"""

from collections.abc import Callable

from chip.dataflow import Function
from compiler.dataflow_rules.product_functions import check_sums
from compiler.dataflow_rules.statements import Statements, beside
from specs.arrays import Ints


def _route(statements: Statements, operations: Ints) -> int:
    """Check partial scores of all experts, by the columns of a shard."""
    must = statements.must
    weighed = statements.read(operations, statements.input(0))
    made = statements.written(operations, statements.output())
    scores = statements.columns(operations, statements.output())
    for place in range(1, statements.most_inputs(operations)):
        has = statements.has_input(operations, place)
        affine = statements.has_input(operations, place, (".norm.weight", ".norm.bias"))
        vectors = statements.read(operations[affine], statements.input(place))
        must(
            vectors.columns_of(weighed.chosen(affine)),
            operations[affine],
            "leaves out the scores of the norm's weights or bias",
        )
        has &= ~affine
        own, source = operations[has], weighed.chosen(has)
        weights = statements.read(own, statements.input(place))
        rows = statements.rows(own, statements.input(place))
        must(
            (weights.part_first == source.first)
            & (weights.part_last == source.last)
            & (weights.first == 0)
            & (weights.last == rows),
            own,
            "scores experts by other columns than it states",
        )
    return must(
        weighed.whole
        & (made.part_first == weighed.first)
        & (made.part_last == weighed.last)
        & (made.first == 0)
        & (made.last == scores),
        operations,
        "scores experts by other columns than it states",
    )


def _choose(statements: Statements, operations: Ints) -> int:
    """Check the choice of experts, by all their scores times the norm's factor."""
    must = statements.must
    scores = statements.read(operations, statements.input(0))
    count = statements.columns(operations, statements.input(0))
    hidden = statements.columns(operations, beside("weighed"))
    check_sums(statements, operations)
    for place in range(2, statements.most_inputs(operations)):
        has = statements.has_input(operations, place)
        own = operations[has]
        added = statements.read(own, statements.input(place))
        must(
            (added.first == 0)
            & (added.last == statements.columns(own, statements.input(place))),
            own,
            "leaves out the router's bias or correction of some experts",
        )
    outputs = statements.numbers(operations, lambda n: len(statements.graph[n].outputs))
    for place in range(int(outputs.max())):
        own = operations[outputs > place]
        made = statements.written(own, statements.output(place))
        must(
            made.whole
            & (made.first == 0)
            & (made.last == statements.columns(own, statements.output(place))),
            own,
            "makes the weights of some experts alone",
        )
    return must(
        (scores.first == 0)
        & (scores.last == count)
        & (scores.part_first == 0)
        & (scores.part_last == hidden),
        operations,
        "chooses experts before all their scores are there",
    )


EXPERT_RULES: dict[Function, Callable[[Statements, Ints], int]] = {
    Function.ROUTER: _route,
    Function.CHOOSE: _choose,
}
