"""Function rules of the head: candidates of ranges of logits, and the token of them.

For `compiler.verify`; independent of the code that makes programs.
"""

from collections.abc import Callable

import numpy as np

from chip.dataflow import Function
from compiler.dataflow_rules.regions import weight_of
from compiler.dataflow_rules.statements import Statements, beside
from specs.arrays import Ints


def _candidate(statements: Statements, operations: Ints) -> int:
    """Check the largest logit of a range, or of the ranges before it."""
    logits = statements.read(operations, statements.input(0))
    if statements.most_inputs(operations) > 1:
        bias = statements.read(operations, statements.input(1))
        statements.must(
            (bias.found == logits.found) & (~logits.found | bias.columns_of(logits)),
            operations,
            "leaves out the bias of some logits",
        )
    before = statements.read(operations, beside("candidates@"))
    made, complete = statements.made_so_far(operations, statements.output())
    vocabulary = statements.columns(operations, statements.input(0))
    begin = np.where(before.found, before.part_last, 0)
    end = np.where(complete, vocabulary, made.part_last)
    must = statements.must
    must(
        ~before.found | (before.columns_of(made) & (before.part_first == 0)),
        operations,
        "goes on with the candidate of another chip",
    )
    must(made.part_first == 0, operations, "states a choice without its first range")
    # A chip may have no logit of the range.
    must(
        ~logits.found | ((logits.first >= begin) & (logits.last <= end)),
        operations,
        "reads logits beyond the range that it states",
    )
    entry = statements.flow.operations.operator[operations]
    size = np.where(logits.found, weight_of(logits.first, logits.last), 0)
    ones = weight_of(made.first, made.last)
    first = np.flatnonzero(np.diff(entry, prepend=-1))
    chips = np.diff(np.append(first, len(entry)))
    # All of a group choose of one range, so that no logit is left out after it.
    must(
        (begin == np.repeat(begin[first], chips))
        & (end == np.repeat(end[first], chips)),
        operations,
        "is one of a group of chips that choose of different ranges",
    )
    whole = np.add.reduceat(size, first) == weight_of(begin[first], end[first])
    whole &= np.add.reduceat(ones, first) == weight_of(0 * chips, chips)
    return must(
        np.repeat(whole, chips),
        operations,
        "is one of a group of chips that do not look at every logit once",
    )


def _sample(statements: Statements, operations: Ints) -> int:
    """Check the largest of all candidates."""
    table = statements.flow.operations
    candidates = statements.read(operations, statements.input(0))
    made = statements.written(operations, statements.output())
    chosen = statements.of(Function.CANDIDATE)
    _, complete = statements.made_so_far(chosen, statements.output())
    # The chips that chose candidates last before the token is sampled.
    entries, sizes = np.unique(table.operator[chosen[complete]], return_counts=True)
    last = np.searchsorted(entries, table.operator[operations]) - 1
    statements.must(
        made.whole & (made.first == 0) & (made.last == 1),
        operations,
        "makes other columns than the token",
    )
    return statements.must(
        (candidates.first == 0)
        & (last >= 0)
        & (candidates.last == sizes[np.maximum(last, 0)]),
        operations,
        "samples before the candidates of all chips are there",
    )


HEAD_RULES: dict[Function, Callable[[Statements, Ints], int]] = {
    Function.CANDIDATE: _candidate,
    Function.SAMPLE: _sample,
}
