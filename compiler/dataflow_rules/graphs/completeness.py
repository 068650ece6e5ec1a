"""Completeness rules of graphs: nothing but the graph is stated, and all of it, once.

For `compiler.verify`; independent of the code that makes programs.
"""

from collections import defaultdict
from collections.abc import Callable
from functools import lru_cache

import numpy as np

from chip.dataflow import Function, Pass
from compiler.dataflow_rules.graphs.product_rules import (
    lookup_rows,
    matrix_product,
    paired_product,
    partial_sum,
    total,
)
from compiler.dataflow_rules.graphs.stated import GraphFacts, Region, StatedOperation
from compiler.dataflow_rules.graphs.vector_rules import vector
from compiler.dataflow_rules.regions import weight_of
from compiler.hazard_rules.structure import violation
from specs.graph import Matmul, Vector
from workloads.operators import Function as GraphFunction

_ITERATION = Pass(1, 1, 1, 1)
_RULES: dict[Function, Callable[[GraphFacts, StatedOperation], None]] = {
    Function.MATRIX_PRODUCT: matrix_product,
    Function.PAIRED_PRODUCT: paired_product,
    Function.TOTAL: total,
    Function.VECTOR: vector,
    Function.LOOKUP_ROWS: lookup_rows,
    Function.PARTIAL_SUM: partial_sum,
}
_SUM = ".sum"
# What part of an operator's function an operation may be.
_PART_OF = {Function.TOTAL: GraphFunction.MATRIX_PRODUCT.name}
_MODULUS = 1 << 64


def check_stated(facts: GraphFacts) -> int:
    """Refuse statements of a graph's program that are no part of the graph."""
    flow = facts.statements.flow
    if list(flow.passes) != [_ITERATION]:
        raise violation(
            "the program computes something else",
            f"it states {len(flow.passes)} passes of a model, and is one of a graph",
        )
    for value in flow.values:
        stays = value.name in facts.matrices
        known = stays or facts.is_value(value.name)
        if not known or value.answered or value.number != (-1 if stays else 0):
            raise violation(
                "the program computes something else",
                f"it states a value {value.name}, which is not in the graph",
            )
    for name, regions in (
        ("reads", flow.reads),
        ("makes", flow.writes),
        ("sends", flow.carried),
    ):
        wrong = (regions.first < 0) | (regions.first >= regions.last)
        wrong |= (regions.part_first < 0) | (regions.part_first >= regions.part_last)
        if wrong.any():
            row = int(np.argmax(wrong))
            raise violation(
                "the program computes something else",
                f"it {name} a region of {flow.values[int(regions.value[row])].name} "
                f"that ends before it begins",
            )
    for operation in facts.operations:
        _check_name(facts, operation)
        _RULES[operation.function](facts, operation)
    _check_chains(facts)
    return len(facts.operations) + len(flow.values)


def _check_name(facts: GraphFacts, operation: StatedOperation) -> None:
    """Refuse an operation of no operator, of another function, or of other values."""
    if operation.function is Function.PARTIAL_SUM:
        allowed = {operation.name.removesuffix(_SUM)}
        _check_values(facts, operation, allowed, allowed)
        return
    made = facts.graph.get(operation.name)
    wanted = _PART_OF.get(operation.function, operation.function.name)
    if made is None or made.function.name != wanted or operation.function not in _RULES:
        known = made.function.name if made else "not in the graph"
        raise facts.refused(
            operation, f"is stated as {operation.function.name}, and is {known}"
        )
    outputs = set(made.outputs)
    if operation.function is Function.TOTAL:
        partial = {facts.partial(name) for name in outputs}
        _check_values(facts, operation, partial, outputs)
        return
    reads = {name for name in made.inputs if name in facts.numberings}
    for name in set(made.inputs) - reads:
        reads |= set(facts.names_of(facts.tensors[name]))
    if operation.function is Function.MATRIX_PRODUCT:
        outputs |= {facts.partial(name) for name in outputs}
    _check_values(facts, operation, reads, outputs)


def _check_values(
    facts: GraphFacts, operation: StatedOperation, reads: set[str], writes: set[str]
) -> None:
    """Refuse values of which the operator has no use."""
    for what, own, known in (
        ("reads", operation.reads, reads),
        ("makes", operation.writes, writes),
    ):
        for name in own:
            if name not in known:
                raise facts.refused(
                    operation, f"{what} {name}, for which the graph has no use there"
                )


def _check_chains(facts: GraphFacts) -> None:
    """Refuse what is chained in one instruction and not in the graph."""
    before: StatedOperation | None = None
    for operation in facts.operations:
        place = operation.operator, operation.chip
        if before is not None and place == (before.operator, before.chip):
            vector_operator = facts.operators.get(operation.name)
            product = facts.operators.get(before.name)
            follows = (
                isinstance(vector_operator, Vector)
                and vector_operator.chained
                and isinstance(product, Matmul)
                and facts.places[operation.name] == facts.places[before.name] + 1
            )
            if not follows:
                raise facts.refused(operation, "is chained to what the graph does not")
        before = operation


def check_complete(facts: GraphFacts) -> int:
    """Refuse a graph's program that leaves out a part of an operator, or repeats it.

    Vector operators that are not chained may run on any chips, in whole.
    """
    covered: defaultdict[tuple[str, str, bool], int] = defaultdict(int)
    whole: set[str] = set()
    parted: set[str] = set()
    for operation in facts.operations:
        if operation.function is Function.PARTIAL_SUM:
            continue
        for name, regions in operation.writes.items():
            key = operation.name, name, operation.function is Function.TOTAL
            for region in regions:
                covered[key] = (covered[key] + _weight(region)) % _MODULUS
        if isinstance(facts.operators[operation.name], Vector):
            all_of_it = all(
                regions == [Region(0, facts.tensors[name].elements, 0, 1)]
                for name, regions in operation.writes.items()
            )
            (whole if all_of_it else parted).add(operation.name)
    for name, made in facts.graph.items():
        operator = facts.operators[name]
        for output in made.outputs:
            elements = facts.tensors[output].elements
            complete = _weight(Region(0, elements, 0, 1))
            done = covered[name, output, False] == complete
            if isinstance(operator, Matmul):
                inner = facts.tensors[operator.right].rows
                parts = _weight(Region(0, elements, 0, inner))
                done |= (
                    covered[name, facts.partial(output), False] == parts
                    and covered[name, output, True] == complete
                    and not covered[name, output, False]
                )
                done &= not (
                    covered[name, output, False] == complete
                    and covered[name, facts.partial(output), False]
                )
            if not done and name not in whole - parted:
                raise violation(
                    "the program computes something else",
                    f"the chips do not compute each element of {output} once ({name})",
                )
    return len(facts.graph)


@lru_cache(maxsize=1 << 16)
def _weight(region: Region) -> int:
    """Return the weight of a region: that of its columns times that of its parts."""
    first, last, low, high = (np.array([edge]) for edge in region)
    columns, parts = weight_of(first, last), weight_of(low, high)
    return int(columns[0]) * int(parts[0]) % _MODULUS
