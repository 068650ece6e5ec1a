"""Work rules of graphs: instructions do as much work as their operations take.

For `compiler.verify`; independent of the code that makes programs.
"""

import itertools

import numpy as np

from chip.dataflow import Function
from chip.operator_work import LookupWork, ProductWork, Shape, VectorWork, Work
from chip.program import Opcode
from compiler.dataflow_rules.graphs.stated import GraphFacts, Region, StatedOperation
from compiler.dataflow_rules.transfers import arrived_columns
from specs.graph import Lookup, Matmul, Role, Vector
from specs.units import BITS_PER_BYTE, ceil_div

_COMPUTING = (Opcode.READ, Opcode.MATMUL, Opcode.VECTOR)
_PRODUCTS = (Function.MATRIX_PRODUCT, Function.PAIRED_PRODUCT)
_SUMS = (Function.TOTAL, Function.PARTIAL_SUM)
_FP16_BYTES = 2


def check_graph_work(facts: GraphFacts) -> int:
    """Work dataflow rule: refuse less work than a graph needs."""
    works = _works(facts)
    terms = _terms(facts)
    before: StatedOperation | None = None
    for operation in facts.operations:
        work = works[operation.number]
        if operation.function in _PRODUCTS:
            if not isinstance(work, ProductWork):
                raise facts.refused(operation, "is work of another kind")
            _check_product(facts, operation, work)
            following = operation.number + 1
            if work.chain is not None and not (
                following < len(facts.operations)
                and _shares(facts.operations[following], operation)
            ):
                raise facts.refused(operation, "chains what it does not state")
        elif operation.function is Function.LOOKUP_ROWS:
            if not isinstance(work, LookupWork):
                raise facts.refused(operation, "is work of another kind")
            _check_lookup(facts, operation, work)
        else:
            chained = before is not None and _shares(operation, before)
            own = work.chain if isinstance(work, ProductWork) and chained else work
            if not isinstance(own, VectorWork):
                raise facts.refused(operation, "is work of another kind")
            if operation.function in _SUMS:
                _check_sum(facts, operation, own, terms[operation.number])
            else:
                _check_vector(facts, operation, own, chained=chained)
        before = operation
    return len(facts.operations)


def _shares(one: StatedOperation, other: StatedOperation) -> bool:
    """Return whether two operations share an instruction."""
    return (one.operator, one.chip) == (other.operator, other.chip)


def _works(facts: GraphFacts) -> list[Work]:
    """Return the work of each operation's instructions, which must be of one kind."""
    program = facts.statements.program
    code = program.instructions
    rows = np.flatnonzero(np.isin(code.opcode, _COMPUTING))
    kinds: dict[tuple[int, int], set[int]] = {}
    columns = np.array([code.operator[rows], code.chip[rows], code.kind[rows]])
    for operator, chip, kind in columns.T.tolist():
        kinds.setdefault((operator, chip), set()).add(kind)
    works = []
    for operation in facts.operations:
        own = kinds.get((operation.operator, operation.chip), set())
        if len(own) != 1:
            raise facts.refused(
                operation, "reads for other work than it multiplies, or does nothing"
            )
        (kind,) = own
        works.append(program.kinds[kind].work)
    return works


def _check_product(
    facts: GraphFacts, operation: StatedOperation, work: ProductWork
) -> None:
    """Refuse a product that multiplies or moves less than its regions have."""
    product = facts.operators[operation.name]
    assert isinstance(product, Matmul)
    right, output = facts.tensors[product.right], facts.tensors[product.output]
    left = facts.tensors[product.left[0]]
    made = _only(operation.writes)
    if operation.function is Function.MATRIX_PRODUCT:
        rows = left.matrices * left.rows
        block = operation.reads[facts.names_of(right)[0]][0]
        deep, wide = block.last - block.first, block.part_last - block.part_first
        several = right.matrices
        if product.chosen is not None:
            # In the worst case each row chooses others.
            several = min(several, product.chosen * rows)
    else:
        rows, deep, wide = left.rows, right.rows, right.columns
        several = (made.last - made.first) * right.matrices // output.elements
    weights = deep * wide * several
    if work.weights != weights or work.macs != weights * rows:
        raise facts.refused(operation, "multiplies more or less than its regions")
    shape = Shape(
        _lengths(facts, operation, product, deep),
        _blocks(facts, product, wide),
        several,
    )
    if work.shape != shape:
        raise facts.refused(operation, "installs other matrices than those it reads")
    stored = facts.bits(right)
    if work.stored_bytes * 8 < weights * stored:
        raise facts.refused(operation, "reads fewer bytes than its matrix has")
    if work.operand_bytes != _mode(facts, product):
        raise facts.refused(operation, "multiplies in another mode")
    # Several rows stream once for each column of tiles, which are as wide as the lanes.
    times = ceil_div(wide, facts.plan.machine.chip.lanes) if rows > 1 else 1
    entering = times * _bytes(rows * deep * several, facts.bits(left))
    leaving = _bytes(rows * wide * several, facts.bits(output))
    if work.input_bytes < entering or work.output_bytes < leaving:
        raise facts.refused(operation, "moves fewer bytes than its vectors have")
    known = right.role in (Role.WEIGHTS, Role.STATE) and product.chosen is None
    if work.ready_rounds and not known:
        raise facts.refused(operation, "loads ahead what is not known yet")
    # Each row of each block leaves the matrix unit as a vector of its own.
    # Of weights that rows choose among, not every row meets every matrix.
    results = rows * several
    if operation.function is Function.MATRIX_PRODUCT:
        results = output.elements // right.columns
    vectors = len(shape.columns) * results
    if work.chain is not None and work.chain.vectors != vectors:
        raise facts.refused(operation, "chains other vectors than its results")


def _lengths(
    facts: GraphFacts, operation: StatedOperation, product: Matmul, deep: int
) -> tuple[int, ...]:
    """Return the rows of weights that meet each left operand of a product."""
    if operation.function is not Function.MATRIX_PRODUCT:
        return (deep,)
    right = facts.tensors[product.right]
    block = operation.reads[facts.names_of(right)[0]][0]
    ends = np.cumsum([facts.tensors[name].columns for name in product.left])
    edges = np.clip([0, *ends.tolist()], block.first, block.last)
    return tuple(length for length in np.diff(edges).tolist() if length)


def _blocks(facts: GraphFacts, product: Matmul, wide: int) -> tuple[int, ...]:
    """Return the blocks of columns whose results meet element by element."""
    blocks = 1
    operators = facts.plan.workload.operators
    for before, after in itertools.pairwise(operators):
        shares = isinstance(before, Matmul) and before.right == product.right
        if shares and isinstance(after, Vector) and after.chained:
            blocks = max(blocks, after.blocks)
    blocks = blocks if wide % blocks == 0 else 1
    return (wide // blocks,) * blocks


def _mode(facts: GraphFacts, product: Matmul) -> int:
    """Return the mode of a product: bytes of its wider operand, or a setting."""
    setting = facts.plan.machine.chip.operand_bytes
    if setting != "auto":
        return setting
    names = (*product.left, product.right)
    bits = max(facts.bits(facts.tensors[name]) for name in names)
    return 1 if bits <= BITS_PER_BYTE else _FP16_BYTES


def _check_lookup(
    facts: GraphFacts, operation: StatedOperation, work: LookupWork
) -> None:
    """Refuse a lookup of fewer bytes than the rows that it finds have."""
    lookup = facts.operators[operation.name]
    assert isinstance(lookup, Lookup)
    made = _only(operation.writes)
    needed = sum(
        _bytes(made.last - made.first, facts.bits(facts.tensors[name]))
        for name in lookup.tables
    )
    if work.stored_bytes < needed:
        raise facts.refused(operation, "looks up less than its regions")


def _check_vector(
    facts: GraphFacts, operation: StatedOperation, work: VectorWork, *, chained: bool
) -> None:
    """Refuse a vector operator of less work than its function takes on its elements."""
    vector = facts.operators[operation.name]
    assert isinstance(vector, Vector)
    elements = vector.elements or max(
        facts.tensors[name].elements for name in vector.sized_by
    )
    (output, region), *_ = (
        (facts.tensors[name], each[0]) for name, each in operation.writes.items()
    )
    # A part of the results takes the same part of the elements.
    part = elements * (region.last - region.first)
    if work.elements * output.elements < part:
        raise facts.refused(operation, "takes fewer elements than its regions have")
    if work.element_bits < facts.bits(facts.tensors[vector.outputs[0]]):
        raise facts.refused(operation, "takes elements of fewer bits")
    if work.passes < vector.pass_count:
        raise facts.refused(operation, "takes fewer passes over what it reads")
    # The result of a product that it is chained to does not come from memory.
    if work.operands < vector.operand_count - chained:
        raise facts.refused(operation, "reads fewer vectors at once than it has terms")
    if vector.moves and not work.reorders:
        raise facts.refused(operation, "moves elements without the unit that does")
    if work.reductions < vector.reduction_count:
        raise facts.refused(operation, "reduces fewer vectors over the lanes")
    # Shorter vectors are reduced in fewer steps.
    if not chained and not 1 <= work.vectors <= output.matrices * output.rows:
        raise facts.refused(operation, "has more vectors than rows, or none")
    if work.operations < vector.operation_count:
        raise facts.refused(operation, "does fewer operations than its function takes")


def _check_sum(
    facts: GraphFacts, operation: StatedOperation, work: VectorWork, terms: int
) -> None:
    """Refuse a sum of fewer elements or terms than there are."""
    columns = sorted(
        {
            (name, each.first, each.last)
            for name, regions in operation.writes.items()
            for each in regions
        }
    )
    made = sum(last - first for _, first, last in columns)
    tensor = facts.tensors[columns[0][0].removesuffix(facts.partial(""))]
    if work.elements * work.element_bits < made * facts.bits(tensor):
        raise facts.refused(operation, "takes fewer elements than its regions have")
    if work.operands * made < terms or work.operations < 1 or work.passes < 1:
        raise facts.refused(operation, "reads fewer vectors at once than it has terms")
    if (work.operations + 1) * made < terms:
        raise facts.refused(operation, "does fewer operations than its terms take")


def _terms(facts: GraphFacts) -> dict[int, int]:
    """Return the columns of all arrays that each sum adds up, by operation."""
    flow = facts.statements.flow
    reads = flow.reads
    sums = np.isin(flow.operations.function, _SUMS)
    rows = np.flatnonzero(sums[reads.owner])
    # Several ranges of a sum's parts are of the same arrays.
    key = np.array([reads.owner[rows], reads.value[rows], reads.first[rows]])
    _, first = np.unique(key, axis=1, return_index=True)
    rows = rows[np.sort(first)]
    total = np.zeros(len(flow.operations), dtype=np.int64)
    np.add.at(total, reads.owner[rows], arrived_columns(facts.statements, rows))
    return {number: int(total[number]) for number in np.flatnonzero(sums).tolist()}


def _only(regions: dict[str, list[Region]]) -> Region:
    """Return the only region of the only value."""
    ((region,),) = regions.values()
    return region


def _bytes(elements: int, bits: int) -> int:
    """Return the bytes of elements."""
    return ceil_div(elements * bits, 8)
