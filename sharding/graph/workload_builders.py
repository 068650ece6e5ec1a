"""What a product, a vector operator or a look-up of a workload asks of each chip.

A workload's tensors keep their places in SRAM throughout an iteration, as its plan has
worked them out, so that no result is counted beside them.
"""

from chip.mxm_tiling import tiling
from chip.operator_work import LookupWork, ProductWork, Shape, VectorWork, adding
from sharding.graph.tensor_layout import fed_bytes, format_of
from sharding.graph.workload_plan import WorkloadPlan
from sharding.operators.operators import Compute, Unit, compute
from specs.arrays import Ints
from specs.formats import Format
from specs.graph import Matmul, Role, Vector
from specs.units import ceil_div

# Results have places of their own.
_READERS = 0


def chain_elements(plan: WorkloadPlan, vector: Vector) -> int:
    """Return the elements that a vector operator works on."""
    if vector.elements:
        return vector.elements
    names = (*vector.inputs, *vector.outputs)
    return max(plan.workload.by_name[name].elements for name in names)


def on_vectors(plan: WorkloadPlan, vector: Vector, elements: Ints) -> Compute:
    """Return a vector operator on each chip's elements."""

    def asked(amount: int) -> VectorWork:
        return _chain(plan, vector, amount, len(vector.inputs))

    return compute(vector.name, Unit.VECTOR, plan.machine.chip, asked, elements)


def _chain(
    plan: WorkloadPlan, vector: Vector, elements: int, operands: int
) -> VectorWork:
    """Return a chain; all operands count as long as it, in its results' format."""
    result = plan.workload.by_name[vector.outputs[0]]
    return VectorWork(
        elements,
        format_of(result, plan.machine.formats).bits,
        operations=vector.operations,
        passes=vector.passes,
        operands=operands,
        readers=_READERS,
    )


def added(plan: WorkloadPlan, name: str, stored: Format, elements: Ints) -> Compute:
    """Return the sum of the partial sums of a column's chips."""

    def asked(amount: int) -> VectorWork:
        summands = adding(amount, stored.bits, plan.strategy.row)
        return summands._replace(readers=_READERS)

    return compute(name, Unit.VECTOR, plan.machine.chip, asked, elements)


def looked_up(plan: WorkloadPlan, name: str, stored_bytes: Ints) -> Compute:
    """Return a look-up of so many bytes on each chip."""

    def asked(amount: int) -> LookupWork:
        return LookupWork(amount, _READERS)

    return compute(name, Unit.LOOKUP, plan.machine.chip, asked, stored_bytes)


def matmul(
    plan: WorkloadPlan,
    product: Matmul,
    *,
    rows: int,
    inner: Ints,
    columns: Ints,
    matrices: Ints,
    chain: Vector | None,
    elements: Ints,
) -> Compute:
    """Return a product on each chip, in tiles of its matrices.

    Parameters
    ----------
    plan, product
        What is multiplied.
    rows
        Vectors that each matrix is multiplied with.
    inner, columns, matrices
        The matrices that each chip installs, shape ``(chips,)`` each.
    chain
        The vector operator that the results pass as they come, if any.
    elements
        Those of the chain on each chip, shape ``(chips,)``.
    """
    chip, formats = plan.machine.chip, plan.machine.formats
    tensors = plan.workload.by_name
    right = tensors[product.right]
    stored = format_of(right, formats)
    entering = format_of(tensors[product.left[0]], formats)
    leaving = format_of(tensors[product.output], formats)
    width_bytes = fed_bytes(plan.workload, plan.machine, product)
    # Weights and states lie where they are; which experts are chosen is computed.
    known = right.role in (Role.WEIGHTS, Role.STATE) and product.chosen is None
    across = tiling(chip, width_bytes).width

    def asked(deep: int, wide: int, several: int, chained: int) -> ProductWork:
        weights = deep * wide * several
        # One vector stays in the planes; of several, each column of tiles takes all.
        times = ceil_div(wide, across) if rows > 1 else 1
        return ProductWork(
            weights=weights,
            stored_bytes=stored.bytes_of(weights),
            operand_bytes=width_bytes,
            batch=rows,
            input_bytes=times * entering.bytes_of(rows * deep * several),
            output_bytes=leaving.bytes_of(rows * wide * several),
            ready_bytes=known * weights * width_bytes,
            shape=Shape(deep, wide, several),
            # The product's result is not read from memory again.
            chain=_chain(plan, chain, chained, len(chain.inputs) - 1)
            if chain and weights
            else None,
            readers=_READERS,
        )

    name = f"{product.name}, {chain.name}" if chain else product.name
    return compute(name, Unit.MATMUL, chip, asked, inner, columns, matrices, elements)
