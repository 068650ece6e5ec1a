"""Vector rules of graphs: functions of elements in their places, and of whole rows.

For `compiler.verify`; independent of the code that makes programs.
"""

from compiler.dataflow_rules.graphs.product_rules import (
    needs,
    needs_matrices,
    needs_whole,
    one_region,
)
from compiler.dataflow_rules.graphs.stated import GraphFacts, Region, StatedOperation
from specs.graph import Matmul, Role, Vector
from specs.vector_functions import FACTS


def vector(facts: GraphFacts, operation: StatedOperation) -> None:
    """Check a vector operator: on all elements, or on a range chained to a product."""
    made, operator = facts.graph[operation.name], facts.operators[operation.name]
    assert isinstance(operator, Vector)
    results = [
        one_region(facts, operation, operation.writes, name) for name in made.outputs
    ]
    whole = all(
        region == Region(0, facts.tensors[name].elements, 0, 1)
        for name, region in zip(made.outputs, results, strict=True)
    )
    for tensor in (facts.tensors[name] for name in made.inputs):
        if tensor.role is Role.WEIGHTS:
            needs_matrices(facts, operation, tensor)
    values = [name for name in made.inputs if name in facts.numberings]
    if whole:
        for name in values:
            needs_whole(facts, operation, name)
        return
    if not operator.chained:
        raise facts.refused(operation, "makes a part of its results, and reads no part")
    if operator.function is None:
        _check_unknown(facts, operation, values, results)
    else:
        _check_places(facts, operation, operator, results)


def _check_unknown(
    facts: GraphFacts,
    operation: StatedOperation,
    values: list[str],
    results: list[Region],
) -> None:
    """Refuse a part of a function that is not known if it reads nothing of an operand.

    Of which elements a result follows is not known either.
    """
    if not all(region.complete for region in results):
        raise facts.refused(operation, "makes something that is not complete")
    for name in values:
        if not operation.reads.get(name):
            raise facts.refused(operation, f"does not read {name}")
        if not all(each.complete for each in operation.reads[name]):
            raise facts.refused(operation, f"reads parts of {name} that are no sum")
    product = facts.workload.operators[facts.places[operation.name] - 1]
    assert isinstance(product, Matmul)
    read = one_region(facts, operation, operation.reads, product.output)
    size = facts.tensors[product.output].elements
    for name, region in zip(facts.graph[operation.name].outputs, results, strict=True):
        elements = facts.tensors[name].elements
        share = elements * (read.last - read.first)
        if abs(size * (region.last - region.first) - share) >= 2 * size:
            raise facts.refused(
                operation, f"makes another share of {name} than it reads of its input"
            )


def _check_places(
    facts: GraphFacts,
    operation: StatedOperation,
    operator: Vector,
    results: list[Region],
) -> None:
    """Refuse a part of results that needs other elements than it reads."""
    assert operator.function is not None
    made = facts.graph[operation.name]
    of = FACTS[operator.function]
    if not of.in_place:
        raise facts.refused(operation, "makes a part of what follows from all of it")
    result, first, last = made.outputs[0], results[0].first, results[0].last
    numbering = facts.numberings[result]
    for name, region in zip(made.outputs, results, strict=True):
        if facts.numberings[name] != numbering or region != Region(first, last, 0, 1):
            raise facts.refused(operation, "makes different places of its results")
    for place, name in enumerate(made.inputs):
        if name not in facts.numberings:
            continue
        own = facts.numberings[name]
        if own == numbering and (place or of.blocks == 1):
            needs(facts, operation, name, first, last)
        elif own == numbering._replace(blocks=of.blocks) and not place:
            needs(facts, operation, name, of.blocks * first, of.blocks * last)
        else:
            needs_whole(facts, operation, name)
