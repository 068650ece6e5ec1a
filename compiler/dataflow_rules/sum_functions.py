"""Sum rules: partial sums of a block's result, and of a product in a 2D layout.

For `compiler.verify`; independent of the code that makes programs.
"""

from collections.abc import Callable

import numpy as np

from chip.dataflow import Function, Regions
from compiler.dataflow_rules.product_functions import (
    UNSCALED,
    check_sums,
    experts_of,
)
from compiler.dataflow_rules.regions import Edges, Flags, weight_of
from compiler.dataflow_rules.statements import Statements, beside
from compiler.dataflow_rules.transfers import arrived_columns
from specs.arrays import Ints

# Functions that read as many vectors as they have terms.
_SUMS = (
    Function.ADD,
    Function.ADD_TABLES,
    Function.NORM_ADD,
    Function.ACTIVATE,
    Function.SUM_SCALE,
    Function.COMBINE,
)
# What a sum takes in passing: a factor of each row, or of each expert.
_FACTORS = ("squares", "sum_squares", "choice", "shared_choice")
# Results of the first products of blocks.
_SCALED = (
    *("gate", "up", "query", "key", "value", "query_down", "latent_down"),
    *("output_gate", "write", "decay"),
)


def _scaled_sum(statements: Statements, operations: Ints) -> int:
    """Check sums of unscaled parts, times the norm's factor."""
    check_sums(statements, operations)
    hidden = statements.columns(operations, beside("weighed"))
    found = np.zeros(len(operations), dtype=bool)
    for name in _SCALED:
        parts = statements.read(operations, beside(f"{UNSCALED}{name}"))
        made = statements.written(operations, beside(name))
        found |= made.found
        statements.must(
            (parts.found == made.found)
            & (
                ~made.found
                | parts.columns_of(made)
                & (parts.part_first == 0)
                & (parts.part_last == hidden)
            ),
            operations,
            "does not add all partial sums once",
        )
    return statements.must(found, operations, "makes nothing")


def _add(statements: Statements, operations: Ints) -> int:
    """Check the sum of all parts of a block's result, the residual and a bias."""
    must, output = statements.must, statements.output()
    made, complete = statements.made_so_far(operations, output)
    before = statements.read(operations, lambda name: f"{output(name)}@")
    parts = statements.reads(operations, statements.input(0))
    size = statements.numbers(operations, lambda n: _inner_columns(statements, n))
    groups = statements.numbers(
        operations,
        lambda n: statements.expert_groups if experts_of(statements, n) > 1 else 1,
    )
    begin = np.where(before.found, before.part_last, 0)
    end = np.where(complete, size, made.part_last)
    at = parts.place
    columns = (parts.first == made.first[at]) & (parts.last == made.last[at])
    must(
        np.bincount(at[~columns], minlength=len(operations)) == 0,
        operations,
        "adds partial sums of other columns than it makes",
    )
    total = np.zeros(len(operations), dtype=np.uint64)
    np.add.at(total, at, weight_of(parts.part_first, parts.part_last))
    # Parts are numbered group after group of experts; each adds the same range.
    wanted = np.zeros(len(operations), dtype=np.uint64)
    for group in range(int(groups.max())):
        ranges = weight_of(group * size + begin, group * size + end)
        wanted += np.where(group < groups, ranges, np.uint64(0))
    must(total == wanted, operations, "does not add all partial sums once")
    must(
        (made.part_first == 0)
        & (~before.found | (before.columns_of(made) & (before.part_first == 0))),
        operations,
        "goes on with a sum of other columns or without its first terms",
    )
    _check_squares(statements, operations, made, complete)
    for place in range(1, statements.most_inputs(operations)):
        has = statements.has_input(operations, place)
        own, here = operations[has], made.chosen(has)
        added = statements.read(own, statements.input(place))
        bias = statements.has_input(own, place, ".bias")
        chosen = statements.has_input(own, place, ".choice")
        experts = statements.numbers(own, lambda n: experts_of(statements, n))
        # The last part of a sum adds biases, of each expert times its weight.
        wanted = np.where(bias | chosen, complete[has], ~before.found[has])
        rows = (added.first == 0) & (added.last == experts)
        columns = (added.part_first == here.first) & (added.part_last == here.last)
        right = np.where(
            chosen,
            rows & added.whole,
            np.where(
                bias & (experts > 1),
                rows & columns,
                added.columns_of(here) & added.whole,
            ),
        )
        must(
            np.where(wanted, right, ~added.found),
            own,
            "does not add the residual or the bias once",
        )
    return len(operations)


def _inner_columns(statements: Statements, name: str) -> int:
    """Return the columns that the product before a sum multiplies, of one group."""
    block = name.rpartition(".")[0]
    product = "down" if f"{block}.down" in statements.graph else "output_product"
    left = statements.graph[f"{block}.{product}"].inputs[0]
    return statements.tensors[left][1] // experts_of(statements, name)


def _check_squares(
    statements: Statements, operations: Ints, made: Edges, complete: Flags
) -> None:
    """Refuse a sum that is normalised later without the squares of its columns."""
    squares = statements.written(operations, beside("sum_squares"))

    def sums(name: str) -> int:
        outputs = statements.graph[name].outputs[1:]
        return sum(statements.tensors[output][1] for output in outputs)

    count = statements.numbers(operations, sums)
    statements.must(
        (squares.found == ((count > 0) & complete))
        & (
            ~squares.found
            | (squares.first == 0)
            & (squares.last == count)
            & (squares.part_first == made.first)
            & (squares.part_last == made.last)
        ),
        operations,
        "does not sum the squares of what it makes",
    )


def _partial_sum(statements: Statements, operations: Ints) -> int:
    """Check parts of a value that become parts of it with fewer terms."""
    statements.all_reads(operations)
    statements.all_writes(operations)
    read, made = (
        _sorted_regions(statements, regions, operations)
        for regions in (statements.flow.reads, statements.flow.writes)
    )
    if not np.array_equal(read, made):
        count = min(read.shape[1], made.shape[1])
        wrong = (read[:, :count] != made[:, :count]).any(axis=0)
        at = int(np.argmax(wrong)) if wrong.any() else count - 1
        raise statements.violation(int(read[0, at]), "adds other parts than it states")
    return len(operations)


def _sorted_regions(statements: Statements, regions: Regions, operations: Ints) -> Ints:
    """Return regions of operations with the bases of their values, in order."""
    rows = np.isin(regions.owner, operations)
    edges = (regions.first, regions.last, regions.part_first, regions.part_last)
    base = statements.base[regions.value]
    table = np.array([column[rows] for column in (regions.owner, base, *edges)])
    return table[:, np.lexsort(table[::-1])]


SUM_RULES: dict[Function, Callable[[Statements, Ints], int]] = {
    Function.SUM_SCALE: _scaled_sum,
    Function.ADD: _add,
    Function.PARTIAL_SUM: _partial_sum,
}


def terms_of_sums(statements: Statements, of_rows: Ints, chosen: int) -> Ints:
    """Return the elements of all terms that the work of each sum takes, else 0.

    A value that is not complete yet has as many terms as arrays of it have arrived, and
    were made on the chip.

    Parameters
    ----------
    statements, of_rows
        The program's statements, and the rows of what each operation makes.
    chosen
        Experts that each token chooses.
    """
    flow = statements.flow
    reads, table = flow.reads, flow.operations
    names = [value.name.rpartition(".")[2] for value in flow.values]
    staying = np.array([value.number < 0 for value in flow.values], dtype=bool)
    bias = np.array([value.name.endswith(".bias") for value in flow.values], dtype=bool)
    factor = np.array([name in _FACTORS for name in names], dtype=bool)
    added = np.isin(table.function, _SUMS)[reads.owner] & ~factor[reads.value]
    function = table.function[reads.owner]
    beside = bias[reads.value] & (function == Function.ADD)
    rows = np.flatnonzero(added & (~staying[reads.value] | beside))
    size = (reads.last - reads.first).astype(np.int64)
    split = rows[reads.part_last[rows] - reads.part_first[rows] > 1]
    # Several ranges of a sum's parts are of the same arrays.
    again = (reads.owner[split][1:] == reads.owner[split][:-1]) & (
        reads.value[split][1:] == reads.value[split][:-1]
    )
    again &= reads.first[split][1:] == reads.first[split][:-1]
    size[split] = arrived_columns(statements, split)
    size[split[1:][again]] = 0
    # Of the biases of experts, a token adds those of its own experts.
    own = np.flatnonzero(beside)
    adding = reads.owner[own].astype(np.int64)
    experts = statements.numbers(adding, lambda n: experts_of(statements, n))
    own = own[experts > 1]
    size[own] = (reads.part_last[own] - reads.part_first[own]) * chosen
    # Of a table, the columns are numbered as parts.
    tables = np.flatnonzero((function == Function.ADD_TABLES) & staying[reads.value])
    size[tables] = reads.part_last[tables] - reads.part_first[tables]
    rows = np.concatenate([rows, tables])
    terms = np.zeros(len(table), dtype=np.int64)
    np.add.at(terms, reads.owner[rows], size[rows])
    return terms * of_rows
