"""Product rules: matrix products, the sums of their parts, and the feed-forward.

For `compiler.verify`; independent of the code that makes programs.

The intermediate columns of experts are numbered within a group of chips: column i of
group g is g times the intermediate size, plus i. It has an element for each expert that
the schedule has room for.
"""

from collections.abc import Callable

import numpy as np

from chip.dataflow import Function
from compiler.dataflow_rules.regions import Edges, Flags, Rows, either
from compiler.dataflow_rules.statements import NameOf, Statements, beside
from specs.arrays import Ints
from workloads.attributes import ProductAttributes
from workloads.feed_forward_attributes import ActivateAttributes
from workloads.operators import Function as GraphFunction

UNSCALED = "unscaled_"
# Products whose results are the parts of a sum.
_SUMMED = (".down", ".output_product")
# What all tokens use beside the experts that they choose.
_SHARED = "shared_"


def experts_of(statements: Statements, name: str) -> int:
    """Return, for dataflow rules, the experts of an operator; 1 of a shared one."""
    if name.rpartition(".")[2].startswith(_SHARED):
        return 1
    activation = statements.graph.get(f"{name.rpartition('.')[0]}.activate")
    if activation is None:
        return 1
    return activation.attributes_as(ActivateAttributes).experts


def check_sums(statements: Statements, operations: Ints) -> None:
    """Refuse a norm's factor that is not of the sums over all columns."""
    sums = statements.read(operations, beside("squares"))
    count = statements.columns(operations, beside("squares"))
    hidden = statements.columns(operations, beside("weighed"))
    statements.must(
        (sums.first == 0)
        & (sums.last == count)
        & (sums.part_first == 0)
        & (sums.part_last == hidden),
        operations,
        "takes a norm's factor before the sums of all its columns are there",
    )


def _product(statements: Statements, operations: Ints) -> int:
    """Check products of the same columns with several matrices."""
    must = statements.must
    weighed = statements.read(operations, beside("weighed"))
    left = either(statements.read(operations, statements.input(0)), weighed)
    must(left.found & (left.part_first == 0), operations, "has no left operand")
    must(left.part_last == 1, operations, "multiplies a sum that is not complete")
    centred = statements.numbers(
        operations,
        lambda n: (
            statements.tensors.get(f"{n.rpartition('.')[0]}.squares", (0, 1))[1] > 1
        ),
    )
    must(~weighed.found | (centred == 0), operations, "leaves out the norm's mean")
    choice = statements.read(operations, beside("choice"))
    experts = statements.numbers(operations, lambda n: experts_of(statements, n))
    must(
        (experts == 1)
        | (choice.whole & (choice.first == 0) & (choice.last == experts)),
        operations,
        "multiplies experts before they are chosen",
    )
    outputs = statements.numbers(operations, lambda n: len(statements.graph[n].outputs))
    for place in range(int(outputs.max())):
        own = operations[outputs > place]
        _one_product(
            statements,
            own,
            place,
            left.chosen(outputs > place),
            weighed.found[outputs > place],
        )
    several = statements.numbers(operations, lambda n: _lefts(statements, n)) > 1
    if several.any():
        _add_shared(statements, operations[several], left.chosen(several))
    return len(operations)


def _lefts(statements: Statements, name: str) -> int:
    """Return the left operands of a product."""
    return statements.graph[name].attributes_as(ProductAttributes).lefts


def _matrix(statements: Statements, place: int) -> NameOf:
    """Return what names a matrix of a product, by the operator's name."""
    return lambda name: statements.graph[name].inputs[place + _lefts(statements, name)]


def _add_shared(statements: Statements, operations: Ints, left: Edges) -> None:
    """Refuse a sum without its part of the shared expert.

    A chip adds the same part of that as it multiplies of the columns of all groups.
    """
    size = statements.columns(operations, statements.input(1))
    experts = statements.numbers(operations, lambda n: experts_of(statements, n))
    inner = statements.columns(operations, statements.input(0)) // experts
    whole = inner * statements.expert_groups
    first, last = left.first * size // whole, left.last * size // whole
    shared = statements.read(operations, statements.input(1))
    weights = statements.read(operations, _matrix(statements, 1))
    made = statements.written(operations, statements.output())
    there = first < last
    statements.must(
        (shared.found == there)
        & (weights.found == there)
        & (
            ~there
            | shared.whole
            & (shared.first == first)
            & (shared.last == last)
            & (weights.part_first == first)
            & (weights.part_last == last)
            & weights.columns_of(made)
        ),
        operations,
        "leaves out its part of the shared expert, or adds another",
    )


def _one_product(
    statements: Statements,
    operations: Ints,
    place: int,
    left: Edges,
    unscaled: Flags,
) -> None:
    """Refuse a product whose result does not follow from its matrix and its input."""
    must, output = statements.must, statements.output(place)
    weights = statements.reads(operations, _matrix(statements, place))

    def renamed(name: str) -> str:
        block, _, own = output(name).rpartition(".")
        return f"{block}.{UNSCALED}{own}"

    scaled = statements.written(operations, output)
    later = statements.written(operations, renamed)
    made = either(scaled, later)
    # A chip of a KV-head group may have rows of some of the matrices alone.
    rows_of = np.bincount(weights.place, minlength=len(operations))
    must(made.found == (rows_of > 0), operations, f"has no rows of result {place + 1}")
    here = made.found
    if not here.all():
        own = operations[here]
        if len(own):
            _one_product(statements, own, place, left.chosen(here), unscaled[here])
        return
    must(later.found == unscaled, operations, "needs the norm's factor first")
    inner = statements.columns(operations, _matrix(statements, place))
    rows = statements.rows(operations, _matrix(statements, place))
    experts = statements.numbers(operations, lambda n: experts_of(statements, n))
    # Experts follow each other in the rows of a matrix, or in its columns.
    down = statements.numbers(operations, lambda n: n.endswith(".down")) == 1
    # Of a product that is not summed up, the first column alone would seem complete.
    summed = statements.numbers(operations, lambda n: n.endswith(_SUMMED)) == 1
    whole = (left.first == 0) & (left.last == inner) & made.whole
    parts = (made.part_first == left.first) & (made.part_last == left.last)
    must(
        np.where(summed | unscaled, parts, whole),
        operations,
        "states other parts than the columns that it multiplies",
    )
    held = np.where(experts > 1, experts // statements.expert_groups, 1)
    outer = np.where(down, inner, rows) // experts
    mine = Edges(
        made.found,
        np.where(down, left.first, made.first),
        np.where(down, left.last, made.last),
        np.where(down, made.first, left.first),
        np.where(down, made.last, left.last),
    )
    crossed = down[weights.place]
    numbered = Rows(
        weights.place,
        np.where(crossed, weights.part_first, weights.first),
        np.where(crossed, weights.part_last, weights.last),
        np.where(crossed, weights.first, weights.part_first),
        np.where(crossed, weights.last, weights.part_last),
    )
    _check_matrices(statements, operations, mine, numbered, outer=outer, held=held)


def _check_matrices(
    statements: Statements,
    operations: Ints,
    made: Edges,
    weights: Rows,
    *,
    outer: Ints,
    held: Ints,
) -> None:
    """Refuse matrices that are not those of the product, one for each expert held.

    Parameters
    ----------
    made
        Columns numbered by group of experts, and the other dimension as parts.
    weights
        The same of each matrix, numbered by expert.
    outer, held
        Columns of an expert, and experts of a group, shape ``(operations,)``.
    """
    at = weights.place
    size = outer[at]
    group, column = made.first // outer, made.first % outer
    expert = group[at] * held[at] + np.arange(len(at)) - begins_of(at, len(operations))
    right = (weights.first == expert * size + column[at]) & (
        weights.last == expert * size + column[at] + (made.last - made.first)[at]
    )
    right &= (weights.part_first == made.part_first[at]) & (
        weights.part_last == made.part_last[at]
    )
    count = np.bincount(at[right], minlength=len(operations))
    statements.must(
        (count == held) & (np.bincount(at, minlength=len(operations)) == held),
        operations,
        "multiplies other weights than those of the result that it states",
    )


def begins_of(place: Ints, operations: int) -> Ints:
    """Return, for dataflow rules, the first row with the place of each row."""
    count = np.bincount(place, minlength=operations)
    return np.repeat(np.cumsum(count) - count, count)


def _activate(statements: Statements, operations: Ints) -> int:
    """Check the activation of each column, with its gate, bias and expert's weight."""
    must = statements.must
    made = statements.written(operations, statements.output())
    for place in range(statements.most_inputs(operations)):
        has = statements.has_input(operations, place)
        own, here = operations[has], made.chosen(has)
        bias = statements.has_input(own, place, ".bias")
        _check_biases(statements, own[bias], place, here.chosen(bias))
        own, here = own[~bias], here.chosen(~bias)
        read = statements.read(own, statements.input(place))
        count = statements.columns(own, statements.input(place))
        all_experts = (read.first == 0) & (read.last == count)
        chosen = statements.has_input(own, place, "choice")
        must(
            read.whole & np.where(chosen, all_experts, read.columns_of(here)),
            own,
            "activates other columns than it makes",
        )
    return must(made.whole, operations, "makes nothing")


def _check_biases(
    statements: Statements, operations: Ints, place: int, made: Edges
) -> None:
    """Refuse biases that are not those of the columns, of each expert held."""
    experts = statements.numbers(operations, lambda n: experts_of(statements, n))
    size = statements.columns(operations, statements.input(place)) // experts
    held = np.where(experts > 1, experts // statements.expert_groups, 1)
    biases = statements.reads(operations, statements.input(place))
    _check_matrices(statements, operations, made, biases, outer=size, held=held)


PRODUCT_RULES: dict[Function, Callable[[Statements, Ints], int]] = {
    Function.PRODUCT: _product,
    Function.ACTIVATE: _activate,
}


def results_meet(statements: Statements, operations: Ints) -> Flags:
    """Return, for dataflow rules, if products' results meet by element, as gates do."""
    graph = statements.graph
    activated = {
        name
        for each in graph.values()
        if each.function is GraphFunction.ACTIVATE
        for name in each.inputs
    }
    return (
        statements.numbers(
            operations, lambda name: int(graph[name].outputs[0] in activated)
        )
        > 0
    )
