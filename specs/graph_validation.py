"""Validation of an operator graph: every fault that prevents its computation."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from specs.bounds import MOST_ELEMENTS
from specs.graph import Lookup, Matmul, Operator, Role, Tensor, Vector
from specs.vector_validation import vector_faults

Tensors = Mapping[str, Tensor]


def graph_faults(
    tensors: Sequence[Tensor], operators: Sequence[Operator]
) -> Iterator[str]:
    """Yield every fault of a workload spec's graph, a phrase that says what to change.

    Parameters
    ----------
    tensors
        Tensors of the graph.
    operators
        Operators in the order of execution.
    """
    named = {
        "tensors": [tensor.name for tensor in tensors],
        "operators": [operator.name for operator in operators],
    }
    for what, names in named.items():
        for name, count in Counter(names).items():
            if count > 1:
                yield f"{count} {what} are called {name!r}; give each its own name"
    for tensor in tensors:
        if tensor.elements > MOST_ELEMENTS:
            yield (
                f"tensor {tensor.name} has {tensor.elements:,} elements, more than any "
                f"machine holds; give it at most {MOST_ELEMENTS:,}"
            )
    if not operators:
        yield "there is nothing to do; add an operator"
    known = {tensor.name: tensor for tensor in tensors}
    unknown = [
        f"{operator.name} names a tensor {name!r} that is not described"
        for operator in operators
        for name in (*operator.reads, *operator.makes)
        if name not in known
    ]
    if unknown:
        yield from unknown
        return
    yield from _order_faults(known, operators)
    yield from _unused(known, operators)
    for before, operator in pairwise([None, *operators]):
        if isinstance(operator, Matmul):
            yield from _matmul_faults(known, operator)
        elif isinstance(operator, Lookup):
            yield from _lookup_faults(known, operator)
        elif operator is not None:
            yield from _vector_faults(known, operator, before)


def _order_faults(known: Tensors, operators: Sequence[Operator]) -> Iterator[str]:
    """Yield faults of a spec: tensors read too early, made twice, or not to be made."""
    made: dict[str, str] = {}
    maker = {name: op.name for op in operators for name in op.makes}
    for operator in operators:
        for name in operator.reads:
            given = known[name].role in (Role.WEIGHTS, Role.INPUT, Role.STATE)
            if given or name in made:
                continue
            if name not in maker:
                yield f"{operator.name} reads {name}, which nothing makes"
            else:
                yield (
                    f"{operator.name} reads {name} before {maker[name]} makes it; list "
                    f"{maker[name]} first or, if each waits for the other, let {name} "
                    f"be a state of the iteration before"
                )
        for name in operator.makes:
            if known[name].role in (Role.WEIGHTS, Role.INPUT):
                yield f"{operator.name} makes {name}, whose role is {known[name].role}"
            elif name in made:
                yield f"{operator.name} makes {name}, which {made[name]} has made"
            made[name] = operator.name


def _unused(known: Tensors, operators: Sequence[Operator]) -> Iterator[str]:
    """Yield faults of a spec: tensors nothing needs, and outputs nothing makes."""
    read = {name for operator in operators for name in operator.reads}
    made = {name for operator in operators for name in operator.makes}
    for name, tensor in known.items():
        if tensor.role is Role.OUTPUT:
            if name not in made:
                yield f"nothing makes the output {name}"
        elif name not in read:
            yield f"nothing reads {name}; remove it, or let its role be output"
        if tensor.gathered and tensor.role is not Role.OUTPUT:
            yield f"{name} is gathered, but its role is {tensor.role}, not output"


def _matmul_faults(known: Tensors, product: Matmul) -> Iterator[str]:
    """Yield faults of a spec: mismatches of a product's operands and result."""
    parts = [known[name] for name in product.left]
    right, output = known[product.right], known[product.output]
    if len({(part.matrices, part.rows) for part in parts}) > 1:
        shapes = " and ".join(f"{part.name} ({part.shape})" for part in parts)
        yield f"{product.name}: {shapes} cannot lie side by side, their rows differ"
        return
    matrices, rows = parts[0].matrices, parts[0].rows
    inner = sum(part.columns for part in parts)
    if inner != right.rows:
        yield (
            f"{product.name}: {' and '.join(product.left)} has {inner} columns, but "
            f"{right.name} has {right.rows} rows"
        )
    used = product.chosen or right.matrices
    if right.role is not Role.WEIGHTS:
        used = 1
        if product.chosen:
            yield f"{product.name}: chosen is for weights, but {right.name} is not"
        if right.matrices != matrices:
            yield (
                f"{product.name}: {matrices} matrices and {right.matrices} of "
                f"{right.name} cannot be multiplied in pairs"
            )
    elif used > right.matrices:
        yield f"{product.name}: chooses {used} of {right.matrices} in {right.name}"
    if product.choice is not None:
        choice, wanted = known[product.choice], matrices * rows * (product.chosen or 0)
        if choice.elements != wanted:
            yield (
                f"{product.name}: {choice.name} ({choice.shape}) has {choice.elements} "
                f"numbers of matrices, and its rows choose {wanted}"
            )
    elements = matrices * rows * used * right.columns
    if elements != output.elements:
        yield (
            f"{product.name} makes {elements:,} elements, but {output.name} "
            f"({output.shape}) has {output.elements:,}"
        )


def _lookup_faults(known: Tensors, lookup: Lookup) -> Iterator[str]:
    """Yield faults of a spec: mismatches of a lookup's tables with its output."""
    output = known[lookup.output]
    for name in lookup.tables:
        table = known[name]
        if table.role is not Role.WEIGHTS:
            yield f"{lookup.name}: the role of {name} is {table.role}, not weights"
        if table.columns != output.columns:
            yield (
                f"{lookup.name}: rows of {name} have {table.columns} elements, those "
                f"of {output.name} {output.columns}"
            )


def _vector_faults(
    known: Tensors, vector: Vector, before: Operator | None
) -> Iterator[str]:
    """Yield faults of a spec's vector operator, what it is chained to included."""
    if vector.chained:
        yield from _chain_faults(vector.name, vector.inputs, before)
        if vector.pass_count > 1 and not vector.reads_back:
            yield (
                f"{vector.name} is chained and makes {vector.pass_count} passes; "
                f"results pass by only once"
            )
    yield from vector_faults(known, vector, before)


def _chain_faults(
    name: str, inputs: Sequence[str], before: Operator | None
) -> Iterator[str]:
    """Yield faults of a spec: a chained operator that no product precedes."""
    if not isinstance(before, Matmul) or before.output not in inputs:
        yield f"{name} is chained, but no product just before it makes what it reads"
