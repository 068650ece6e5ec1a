"""Validation of vector operators that say what they compute: operands and results."""

from collections.abc import Iterator, Mapping

from specs.graph import Matmul, Operator, Role, Tensor, Vector
from specs.vector_functions import FACTS, VectorFunction

Tensors = Mapping[str, Tensor]


def vector_faults(
    known: Tensors, vector: Vector, before: Operator | None
) -> Iterator[str]:
    """Yield the faults of a spec's vector operator, a phrase that says what to change.

    Parameters
    ----------
    known
        Tensors by name.
    vector
        The operator; without a function there is nothing to check.
    before
        The operator before it.
    """
    if vector.function is None:
        return
    facts, name = FACTS[vector.function], f"{vector.name} ({vector.function})"
    count, results = len(vector.inputs), len(vector.outputs)
    if count < facts.least or (facts.most is not None and count > facts.most):
        most = "or more" if facts.most is None else f"to {facts.most}"
        wanted = facts.least if facts.least == facts.most else f"{facts.least} {most}"
        yield f"{name} has {count} inputs and takes {wanted}"
        return
    if results != facts.results:
        yield f"{name} has {results} outputs and makes {facts.results}"
        return
    if vector.pass_count < facts.passes:
        yield (
            f"{name} takes {facts.passes} passes, not {vector.passes}; leave passes out"
        )
    if vector.chained:
        yield from _chain_faults(known, vector, before)
    if facts.moves or vector.views:
        yield from _view_faults(known, vector, name)
    elif facts.reduces:
        yield from _piece_faults(known, vector, name)
    else:
        yield from _size_faults(known, vector, vector.function)


def _chain_faults(
    known: Tensors, vector: Vector, before: Operator | None
) -> Iterator[str]:
    """Yield faults of a spec's function that takes results as they are made."""
    assert vector.function is not None
    facts, name = FACTS[vector.function], f"{vector.name} ({vector.function})"
    if not facts.in_place:
        what = "needs whole rows" if facts.over_rows else "moves elements"
        yield f"{name} is chained and {what}; leave chained out"
    if facts.blocks == 1 or not isinstance(before, Matmul):
        return
    right = known[before.right]
    if right.role is not Role.WEIGHTS or (
        known[before.output].columns != right.columns
    ):
        yield (
            f"{name} is chained and takes {facts.blocks} blocks of columns, so "
            f"{before.name} must multiply with weights of as many columns as "
            f"{before.output} has"
        )


def _view_faults(known: Tensors, vector: Vector, name: str) -> Iterator[str]:
    """Yield faults of a spec's views: of what there is not, or of too few elements."""
    if not vector.moves:
        yield f"{name} has views and moves no elements; leave views out"
        return
    if len(vector.views) != len(vector.inputs):
        yield (
            f"{name} has {len(vector.views)} views of {len(vector.inputs)} inputs; "
            f"give one for each"
        )
        return
    result = known[vector.outputs[0]]
    for view, each in zip(vector.views, vector.inputs, strict=True):
        for fault in view.faults(known[each].elements):
            yield f"{name}: {fault} of {each}"
        if view.elements % vector.turns:
            yield (
                f"{name}: its view of {each} has {view.elements:,} elements, which "
                f"{vector.turns:,} turns cannot share"
            )
    elements = sum(view.elements for view in vector.views)
    if elements != result.elements:
        yield (
            f"{name} makes {elements:,} elements, but {result.name} ({result.shape}) "
            f"has {result.elements:,}"
        )


def _piece_faults(known: Tensors, vector: Vector, name: str) -> Iterator[str]:
    """Yield faults of a spec's reduction whose operand is not whole pieces of rows."""
    first, result = known[vector.inputs[0]], known[vector.outputs[0]]
    piece, rest = divmod(first.elements, result.elements)
    if rest or not piece or first.columns % piece:
        yield (
            f"{name} makes {result.name} ({result.shape}), so a row of {first.name} "
            f"({first.shape}) must have whole pieces, one for each of its elements"
        )


def _size_faults(
    known: Tensors, vector: Vector, function: VectorFunction
) -> Iterator[str]:
    """Yield faults of a spec's function whose operands do not match its results."""
    facts, name = FACTS[function], f"{vector.name} ({function})"
    first, *rest = (known[each] for each in vector.inputs)
    for result in (known[each] for each in vector.outputs):
        wide = result.columns * facts.blocks
        same = first.elements == result.elements * facts.blocks
        by_columns = facts.over_rows or facts.blocks > 1
        if facts.blocks > 1 or facts.over_rows or not rest:
            if not same or (by_columns and first.columns != wide):
                yield (
                    f"{name} makes {result.name} ({result.shape}), so {first.name} "
                    f"({first.shape}) must have {wide} columns and as many rows"
                )
            continue
        for each in (first, *rest):
            if not _matches(each, result):
                yield (
                    f"{name}: {each.name} ({each.shape}) has neither the elements of "
                    f"{result.name} ({result.shape}), nor of a row of it, nor just one"
                )
    if facts.over_rows:
        for each in rest:
            if each.elements != first.columns:
                yield (
                    f"{name}: {each.name} ({each.shape}) must have {first.columns} "
                    f"elements, one for each column"
                )
    if function is VectorFunction.LSTM_CELL:
        cell, *bias = rest
        made = known[vector.outputs[0]]
        if cell.elements != made.elements:
            yield (
                f"{name}: {cell.name} ({cell.shape}) has not the elements of "
                f"{made.name} ({made.shape})"
            )
        for each in bias:
            if each.elements != first.columns:
                yield f"{name}: {each.name} must have {first.columns} elements"


def _matches(operand: Tensor, result: Tensor) -> bool:
    """Return whether an operand has an element for each element of the result."""
    row = operand.elements == operand.columns == result.columns
    # Samples share the rows of weights, which begin again for each one.
    shared = operand.role is Role.WEIGHTS and operand.columns == result.columns
    repeated = shared and result.elements % operand.elements == 0
    return operand.elements in (1, result.elements) or row or repeated
