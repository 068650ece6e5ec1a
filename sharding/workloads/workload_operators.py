"""The sharded operators of a workload plan: work of each chip, and exchanges."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np

from sharding.operators.operands import Operation
from sharding.operators.operators import Compute, Exchange, Pattern, ShardedOperator
from sharding.weights.task import bytes_of
from sharding.workloads.tensor_layout import (
    format_of,
    scheduled_matrices,
    share_of,
)
from sharding.workloads.workload_builders import (
    lookup_operator,
    matmul,
    partial_sum,
    vector_elements,
    vector_operator,
)
from sharding.workloads.workload_gathers import crossing, gather, gathering_stage
from sharding.workloads.workload_plan import WorkloadPlan, WorkloadStage
from sharding.workloads.workload_regions import OperatorRegions
from specs.arrays import Ints
from specs.graph import Lookup, Matmul, Role, Tensor, Vector
from workloads.graphs.numberings import chained_to


def workload_steps(
    plan: WorkloadPlan, stage: WorkloadStage | None = None
) -> list[ShardedOperator]:
    """Return the sharded operators of a workload graph's plan, or of a stage, in order.

    - A product with weights is split by the grid. If the grid splits rows, the partial
      sums are reduce-scattered over the chips of a grid column.
    - A result that only chained operators read stays split. Other results are
      all-gathered; an output is gathered on the first chip if the workload says so.
    - Products in pairs and lookups are split evenly.
    - Vector operators that are not chained run on every chip.
    """
    steps: list[ShardedOperator] = []
    numbers = range(len(plan.workload.operators))
    if stage is not None:
        numbers = range(stage.first, stage.last)
        steps += _gathered_at(plan, stage)
    for number in numbers:
        operator = plan.workload.operators[number]
        own = OperatorRegions(plan, number)
        chain = _chain(plan, number)
        if isinstance(operator, Matmul):
            right = plan.workload.by_name[operator.right]
            if right.role is Role.WEIGHTS:
                steps += _split_product(plan, operator, right, own, chain)
            else:
                steps += _paired_product(plan, operator, right, own, chain)
        elif isinstance(operator, Lookup):
            steps += _lookup(plan, operator, own)
        elif not operator.chained:
            steps.append(_vector(plan, operator, own))
    return steps


class _Chain(NamedTuple):
    """Vector operator that is chained to a product, with its regions."""

    vector: Vector
    regions: OperatorRegions


def _chain(plan: WorkloadPlan, number: int) -> _Chain | None:
    """Return the operator that is chained to the one of a number, if any."""
    vector = chained_to(plan.workload, number)
    return _Chain(vector, OperatorRegions(plan, number + 1)) if vector else None


def _vector(plan: WorkloadPlan, vector: Vector, own: OperatorRegions) -> Compute:
    """Return a vector operator that every chip runs on all elements."""
    elements = np.full(
        plan.strategy.width, vector_elements(plan, vector), dtype=np.int64
    )
    return vector_operator(plan, vector, elements, lambda: (own.vector(),))


def _split_product(
    plan: WorkloadPlan,
    product: Matmul,
    right: Tensor,
    own: OperatorRegions,
    chain: _Chain | None,
) -> list[ShardedOperator]:
    """Return a product with weights, its chained operator and their exchanges."""
    grid, tensors = plan.strategy, plan.workload.by_name
    first = tensors[product.left[0]]
    rows = first.matrices * first.rows
    low, high = grid.rows(right.rows)
    begin, end = grid.columns(right.columns, plan.blocks[right.name])
    matrices = np.full(
        grid.width, scheduled_matrices(product, right, rows), dtype=np.int64
    )
    product_on_chips = partial(
        matmul,
        plan,
        product,
        rows=rows,
        inner=_parts_of(plan, product, low, high),
        columns=end - begin,
        matrices=matrices,
    )
    output = tensors[product.output]
    if grid.row == 1:
        share = 0 * begin
        if chain is not None:
            elements = vector_elements(plan, chain.vector)
            share = share_of(elements, end - begin, right.columns)
        steps: list[ShardedOperator] = [
            product_on_chips(
                chain=chain.vector if chain else None,
                elements=share,
                computes=partial(_with_chain, own.product, product, chain),
            )
        ]
    else:
        part = grid.parts(output.elements, plan.columns[output.name])
        stored = format_of(output, plan.machine.formats)
        steps = [
            product_on_chips(
                chain=None, elements=0 * begin, computes=lambda: (own.product(),)
            ),
            Exchange(
                f"{product.name} sums",
                Pattern.SCATTER,
                bytes_of(stored, part),
                grid.column_of,
                carries=own.partial_sums,
            ),
            partial_sum(
                plan, f"{product.name} add", stored, part, lambda: (own.total(),)
            ),
        ]
        if chain is not None:
            share = share_of(vector_elements(plan, chain.vector), part, output.elements)
            after = chain.regions
            steps.append(
                vector_operator(
                    plan, chain.vector, share, lambda: (after.chained(product),)
                )
            )
    return steps + _gathered_behind(plan, product, chain)


def _parts_of(
    plan: WorkloadPlan, product: Matmul, low: Ints, high: Ints
) -> tuple[Ints, ...]:
    """Return the columns of each left operand that meet a range of rows of weights."""
    parts, begin = [], 0
    for name in product.left:
        end = begin + plan.workload.by_name[name].columns
        inside = np.minimum(high, end) - np.maximum(low, begin)
        parts.append(np.maximum(inside, 0))
        begin = end
    return tuple(parts)


def _with_chain(
    computes: Callable[[], Operation], product: Matmul, chain: _Chain | None
) -> tuple[Operation, ...]:
    """Return what a product computes, and what is chained to it."""
    own = computes()
    return (own, chain.regions.chained(product)) if chain else (own,)


def _gathered_behind(
    plan: WorkloadPlan, maker: Matmul | Lookup, chain: _Chain | None
) -> list[Exchange]:
    """Return the exchanges of results in the stage that makes them."""
    names = (maker.output, *(chain.vector.outputs if chain else ()))
    own = plan.stage_of(plan.maker_of(maker.output)).index
    return [
        exchange
        for name in names
        if gathering_stage(plan, name) == own
        for exchange in gather(plan, name)
    ]


def _gathered_at(plan: WorkloadPlan, stage: WorkloadStage) -> list[Exchange]:
    """Return the exchanges of what a stage is the first to read whole."""
    return [
        exchange
        for name in crossing(plan, stage.first)
        if gathering_stage(plan, name) == stage.index
        for exchange in gather(plan, name)
    ]


def _paired_product(
    plan: WorkloadPlan,
    product: Matmul,
    right: Tensor,
    own: OperatorRegions,
    chain: _Chain | None,
) -> list[ShardedOperator]:
    """Return products in pairs, split evenly over all chips, and their exchanges."""
    grid, tensors = plan.strategy, plan.workload.by_name
    first = tensors[product.left[0]]
    matrices = grid.even_shares(right.matrices)
    ones = np.ones(grid.width, dtype=np.int64)
    share = 0 * ones
    if chain is not None:
        elements = vector_elements(plan, chain.vector)
        share = share_of(elements, matrices, right.matrices)
    steps: list[ShardedOperator] = [
        matmul(
            plan,
            product,
            rows=first.rows,
            inner=(right.rows * ones,),
            columns=right.columns * ones,
            matrices=matrices,
            chain=chain.vector if chain else None,
            elements=share,
            computes=partial(_with_chain, own.pairs, product, chain),
        )
    ]
    return steps + _gathered_behind(plan, product, chain)


def _lookup(
    plan: WorkloadPlan, lookup: Lookup, own: OperatorRegions
) -> list[ShardedOperator]:
    """Return a lookup, split by the columns of the tables, and its exchange."""
    grid, tensors = plan.strategy, plan.workload.by_name
    output = tensors[lookup.output]
    columns = grid.even_shares(output.columns)
    part = output.matrices * output.rows * columns
    read = sum(
        (
            bytes_of(format_of(tensors[name], plan.machine.formats), part)
            for name in lookup.tables
        ),
        0 * part,
    )
    return [
        lookup_operator(plan, lookup.name, read, lambda: (own.lookup(),)),
        *_gathered_behind(plan, lookup, None),
    ]
