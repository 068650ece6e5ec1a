"""Product rules of graphs: products with weights and in pairs, sums, and lookups.

For `compiler.verify`; independent of the code that makes programs. A product of some
rows of the weights makes parts of its result, numbered by those rows.
"""

from chip.element_numbering import Numbering, in_order
from compiler.dataflow_rules.graphs.stated import GraphFacts, Region, StatedOperation
from specs.graph import Lookup, Matmul, Tensor
from workloads.graph_attributes import MatrixProductAttributes


def one_region(
    facts: GraphFacts,
    operation: StatedOperation,
    regions: dict[str, list[Region]],
    name: str,
) -> Region:
    """Return, for dataflow rules, the only region that an operation has of a value."""
    found = regions.get(name, [])
    if len(found) != 1:
        raise facts.refused(
            operation, f"states {len(found)} regions of {name}, and has one"
        )
    return found[0]


def needs(
    facts: GraphFacts, operation: StatedOperation, name: str, first: int, last: int
) -> None:
    """Refuse, as a dataflow rule, an operation that does not read a range."""
    if first >= last:
        return
    if not any(each.covers(first, last) for each in operation.reads.get(name, [])):
        raise facts.refused(
            operation, f"does not read elements {first} to {last - 1} of {name}"
        )


def needs_whole(facts: GraphFacts, operation: StatedOperation, name: str) -> None:
    """Refuse, as a dataflow rule, an operation that does not read a whole value."""
    needs(facts, operation, name, 0, facts.tensors[name].elements)


def needs_matrices(
    facts: GraphFacts, operation: StatedOperation, tensor: Tensor
) -> None:
    """Refuse, as a dataflow rule, an operation that does not read whole weights."""
    for name in facts.names_of(tensor):
        read = one_region(facts, operation, operation.reads, name)
        if read != Region(0, tensor.rows, 0, tensor.columns):
            raise facts.refused(operation, f"does not read all of {name}")


def matrix_product(facts: GraphFacts, operation: StatedOperation) -> None:
    """Check a product with rows and columns of weights, of all matrices the same."""
    made, product = facts.graph[operation.name], facts.operators[operation.name]
    assert isinstance(product, Matmul)
    attributes = made.attributes_as(MatrixProductAttributes)
    right = facts.tensors[product.right]
    names = facts.names_of(right)
    block = one_region(facts, operation, operation.reads, names[0])
    for name in names[1:]:
        if one_region(facts, operation, operation.reads, name) != block:
            raise facts.refused(operation, "multiplies other parts of some matrices")
    low, high, begin, end = block
    _check_left(facts, operation, made.inputs[: attributes.left], low, high)
    if attributes.chosen and product.choice:
        needs_whole(facts, operation, made.inputs[-1])
    (output,) = made.outputs
    numbering = facts.numberings[output]
    rows = numbering.elements // right.columns
    whole = (low, high) == (0, right.rows)
    result = Region(rows * begin, rows * end, low, high)
    stated = facts.partial(output)
    if whole and stated not in operation.writes:
        stated, result = output, result._replace(part_first=0, part_last=1)
    if numbering != Numbering(
        rows, right.columns // numbering.blocks, numbering.blocks
    ):
        raise facts.refused(operation, f"counts the elements of {output} otherwise")
    if begin % numbering.blocks or end % numbering.blocks:
        raise facts.refused(operation, "parts columns of which a function takes all")
    if one_region(facts, operation, operation.writes, stated) != result:
        raise facts.refused(
            operation, "makes another result than that of the weights that it reads"
        )


def _check_left(
    facts: GraphFacts,
    operation: StatedOperation,
    names: tuple[str, ...],
    low: int,
    high: int,
) -> None:
    """Refuse a product that lacks left columns which its rows of the weights meet."""
    offset = 0
    for name in names:
        tensor = facts.tensors[name]
        first = min(max(low - offset, 0), tensor.columns)
        last = min(max(high - offset, 0), tensor.columns)
        offset += tensor.columns
        rows = tensor.matrices * tensor.rows
        if facts.numberings[name] == Numbering(rows, tensor.columns):
            needs(facts, operation, name, rows * first, rows * last)
        elif first < last:
            needs_whole(facts, operation, name)


def total(facts: GraphFacts, operation: StatedOperation) -> None:
    """Check the sum of all parts of a range of a product's result."""
    (output,) = facts.graph[operation.name].outputs
    product = facts.operators[operation.name]
    assert isinstance(product, Matmul)
    made = one_region(facts, operation, operation.writes, output)
    read = one_region(facts, operation, operation.reads, facts.partial(output))
    inner = facts.tensors[product.right].rows
    blocks = facts.numberings[output].blocks
    if not made.complete or read != Region(made.first, made.last, 0, inner):
        raise facts.refused(operation, "does not add all parts of what it makes, once")
    if made.first % blocks or made.last % blocks:
        raise facts.refused(operation, "parts elements of which a function takes all")


def paired_product(facts: GraphFacts, operation: StatedOperation) -> None:
    """Check products of whole matrices in pairs."""
    made = facts.graph[operation.name]
    (output,) = made.outputs
    result = one_region(facts, operation, operation.writes, output)
    count = facts.tensors[made.inputs[-1]].matrices
    each = facts.tensors[output].elements // count
    ordered = facts.numberings[output] == in_order(facts.tensors[output].elements)
    if not ordered or not result.complete or result.first % each or result.last % each:
        raise facts.refused(operation, f"makes other parts of {output} than matrices")
    first, last = result.first // each, result.last // each
    for name in made.inputs:
        elements = facts.tensors[name].elements
        if facts.numberings[name] == in_order(elements):
            own = elements // count
            needs(facts, operation, name, own * first, own * last)
        else:
            needs_whole(facts, operation, name)


def lookup_rows(facts: GraphFacts, operation: StatedOperation) -> None:
    """Check a lookup of some columns of all rows of tables."""
    made, lookup = facts.graph[operation.name], facts.operators[operation.name]
    assert isinstance(lookup, Lookup)
    result = one_region(facts, operation, operation.writes, lookup.output)
    numbering = facts.numberings[lookup.output]
    for table in lookup.tables:
        tensor = facts.tensors[table]
        for name in facts.names_of(tensor):
            read = one_region(facts, operation, operation.reads, name)
            columns = numbering.rows * read.part_first, numbering.rows * read.part_last
            if (read.first, read.last) != (0, tensor.rows) or (
                result != Region(*columns, 0, 1)
            ):
                raise facts.refused(
                    operation, f"makes other columns than those that it reads of {name}"
                )
    for name in made.inputs[len(lookup.tables) :]:
        needs_whole(facts, operation, name)


def partial_sum(facts: GraphFacts, operation: StatedOperation) -> None:
    """Check parts of a value that become one array in the place of several."""
    for name, regions in operation.writes.items():
        if sorted(operation.reads.get(name, [])) != sorted(regions):
            raise facts.refused(operation, "adds other parts than it states")
        if name.removesuffix(" (partial)") == name:
            raise facts.refused(operation, f"adds up {name}, which has no parts")
