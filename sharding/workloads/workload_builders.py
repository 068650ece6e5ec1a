"""Operators of a workload plan: products, vector operators and lookups of each chip.

The plan gives each tensor a place in SRAM throughout an iteration, so that the
operators allocate no memory for their results.
"""

from chip.mxm_tiling import tiling
from chip.operator_work import LookupWork, ProductWork, Shape, VectorWork, adding
from sharding.operators.operators import Compute, Operations, Unit, compute, nothing
from sharding.workloads.tensor_layout import format_of, product_mode
from sharding.workloads.workload_plan import WorkloadPlan
from specs.arrays import Ints
from specs.formats import Format
from specs.graph import Matmul, Role, Vector
from specs.units import ceil_div

# The plan allocates results; with no readers, the chip allocates none.
_READERS = 0


def vector_elements(plan: WorkloadPlan, vector: Vector) -> int:
    """Return the elements that a graph's vector operator computes, on all chips."""
    if vector.elements:
        return vector.elements
    return max(plan.workload.by_name[name].elements for name in vector.sized_by)


def vector_operator(
    plan: WorkloadPlan, vector: Vector, elements: Ints, computes: Operations = nothing
) -> Compute:
    """Return a graph's vector operator on `elements` of each chip.

    `computes` returns what it and the other operators below compute on each chip.
    """

    def work_of(amount: int) -> VectorWork:
        return _chain(plan, vector, amount, vector.operand_count)

    chip = plan.machine.chip
    return compute(
        vector.name, Unit.VECTOR, chip, work_of, elements, operations=computes
    )


def _chain(
    plan: WorkloadPlan, vector: Vector, elements: int, operands: int
) -> VectorWork:
    """Return the work of a vector operator that is chained to a product or not.

    All operands count with `elements` each, in the format of the result.
    """
    result = plan.workload.by_name[vector.outputs[0]]
    return VectorWork(
        elements,
        format_of(result, plan.machine.formats).bits,
        operations=vector.operation_count,
        passes=vector.pass_count,
        operands=operands,
        reorders=vector.moves,
        readers=_READERS,
        reductions=vector.reduction_count,
    )


def partial_sum(
    plan: WorkloadPlan,
    name: str,
    stored: Format,
    elements: Ints,
    computes: Operations = nothing,
) -> Compute:
    """Return a graph's vector operator that adds the partial sums of a grid column."""

    def work_of(amount: int) -> VectorWork:
        summands = adding(amount, stored.bits, plan.strategy.row)
        return summands._replace(readers=_READERS)

    chip = plan.machine.chip
    return compute(name, Unit.VECTOR, chip, work_of, elements, operations=computes)


def lookup_operator(
    plan: WorkloadPlan, name: str, stored_bytes: Ints, computes: Operations = nothing
) -> Compute:
    """Return a graph's lookup of `stored_bytes` on each chip, shape ``(chips,)``."""

    def work_of(amount: int) -> LookupWork:
        return LookupWork(amount, _READERS)

    chip = plan.machine.chip
    return compute(name, Unit.LOOKUP, chip, work_of, stored_bytes, operations=computes)


def matmul(
    plan: WorkloadPlan,
    product: Matmul,
    *,
    rows: int,
    inner: tuple[Ints, ...],
    columns: Ints,
    matrices: Ints,
    chain: Vector | None,
    elements: Ints,
    computes: Operations = nothing,
) -> Compute:
    """Return a graph's matrix product on each chip, in rounds of tiles.

    Parameters
    ----------
    plan, product
        The plan, and a product of its workload.
    rows
        Vectors that are multiplied with each matrix.
    inner
        Columns of each left operand that the matrices of each chip multiply, shape
        ``(chips,)`` each.
    columns, matrices
        Columns and number of the matrices of each chip, shape ``(chips,)`` each.
    chain
        Vector operator that is chained to the product, if any.
    elements
        Elements of the chained operator on each chip, shape ``(chips,)``.
    computes
        Returns what it computes on each chip.
    """
    chip, formats = plan.machine.chip, plan.machine.formats
    tensors = plan.workload.by_name
    right = tensors[product.right]
    stored = format_of(right, formats)
    entering = format_of(tensors[product.left[0]], formats)
    leaving = format_of(tensors[product.output], formats)
    mode = product_mode(plan.workload, plan.machine, product)
    # Weights and states can be loaded before the product, unless a router chooses them.
    loadable = right.role in (Role.WEIGHTS, Role.STATE) and product.chosen is None
    cut = tiling(chip, mode)
    # Blocks of columns meet element by element.
    blocks = plan.blocks.get(product.right, 1)
    weights = right.role is Role.WEIGHTS
    # Each row of results of weights is on every chip; pairs are split.
    results = tensors[product.output].elements // right.columns if weights else rows

    def work_of(wide: int, several: int, chained: int, *deep: int) -> ProductWork:
        parts = tuple(length for length in deep if length)
        own = blocks if wide % blocks == 0 else 1
        shape = Shape(parts, (wide // own,) * own, several)
        # A single vector stays in the planes; several stream once for each tile column.
        times = ceil_div(wide, cut.side) if rows > 1 else 1
        vectors = rows * sum(parts) * several
        return ProductWork(
            shape=shape,
            rows=rows,
            stored_bytes=stored.bytes_of(shape.elements),
            operand_bytes=mode,
            input_bytes=times * entering.bytes_of(vectors),
            output_bytes=leaving.bytes_of(rows * wide * several),
            ready_rounds=loadable * cut.rounds(shape),
            # The chained operator does not read the product's result from memory.
            chain=_chain(plan, chain, chained, len(chain.inputs) - 1)._replace(
                vectors=own * results * (1 if weights else several)
            )
            if chain and shape.elements
            else None,
            readers=_READERS,
        )

    name = f"{product.name}, {chain.name}" if chain else product.name
    amounts = columns, matrices, elements, *inner
    return compute(name, Unit.MATMUL, chip, work_of, *amounts, operations=computes)
