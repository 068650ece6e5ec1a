"""The operators of a feed-forward: dense, of experts, or in a 2D layout."""

import numpy as np

from sharding.operators.expert_routing import routed
from sharding.operators.feed_forward_regions import FEED_FORWARD, FeedForwardRegions
from sharding.operators.operands import RESIDUAL, Operand, operand
from sharding.operators.operator_builders import matrix_product, vector
from sharding.operators.operators import Exchange, Pattern, ShardedOperator
from sharding.operators.partial_sums import reduced_output
from sharding.operators.residual_stream import (
    gathered_input,
    normed_input,
    normed_shard,
)
from sharding.weights.blocks import Block
from sharding.weights.task import Task, bytes_of
from specs.arrays import Ints


def feed_forward(task: Task, block: Block) -> list[ShardedOperator]:
    """Return the sharded operators of a feed-forward block in order.

    In a 1D layout each chip has some columns for the whole hidden dimension: it
    all-gathers all shards and computes a partial sum of the whole output. In a 2D
    layout it has more columns for a part of the hidden dimension: it all-gathers that
    part and computes a partial sum of that part. Between the two products the partial
    sums of the columns are reduce-scattered and all-gathered.
    """
    model, group = task.model, task.group
    grid = group.inputs > 1
    # All chips of an expert group hold the same experts, each a part of the columns.
    # Tokens may choose different experts, and a static schedule has room for all.
    work = routed(task)
    regions = FeedForwardRegions(task, block, work)
    columns = regions.columns.sizes
    hidden = group.input_range(model.hidden_size).sizes
    weights = work.experts * columns * hidden
    if grid:
        operators = gathered_input(
            task, at=FEED_FORWARD, opens=block.opens, teams=group.row
        )
    else:
        operators = normed_input(
            task,
            at=FEED_FORWARD,
            opens=block.opens,
            extra_bytes=task.router_bytes(),
            extra=regions.router_parts,
        )
    if model.experts > 1:
        if block.opens:
            shard = task.shard_sizes()
            router = matrix_product(
                task,
                "router",
                shard * model.experts,
                inputs=shard,
                computes=regions.scoring_experts,
            )
            operators.insert(1, router)
        chosen = np.full(task.tensor, model.experts, dtype=np.int64)
        operators.append(
            vector(
                task,
                "choose",
                chosen,
                operations=4,
                passes=2,
                computes=regions.choosing,
            )
        )
    # Expert weights cannot be loaded ahead: the router's result is their address.
    ready = None if model.experts == 1 else 0 * weights
    inward = "gate_up" if model.structure.gated else "up"
    operators.append(
        matrix_product(
            task,
            inward,
            model.projections_in * weights,
            inputs=hidden,
            ready=ready,
            computes=regions.projecting,
        )
    )
    if grid:
        operators += _activated_in_grid(task, regions)
    else:
        operators.append(
            vector(
                task,
                "activate",
                work.pairs * columns,
                operations=6,
                operands=model.projections_in,
                tokens=1,
                computes=lambda: regions.activating(regions.columns),
            )
        )
    operators.append(
        matrix_product(
            task,
            "down",
            weights,
            inputs=work.experts * columns,
            ready=ready,
            computes=regions.contracting,
        )
    )
    return operators + reduced_output(
        task,
        regions.partial_sum,
        teams=group.row,
        summands=task.tensor // group.inputs,
        biased=model.feed_forward_biases,
    )


def feed_forward_carried(task: Task, block: Block) -> tuple[Operand, ...]:
    """Return what each chip passes to a stage that goes on within a feed-forward."""
    regions = FeedForwardRegions(task, block, routed(task))
    shard = task.group.shards(task.model.hidden_size)
    before = regions.partial_sum.accumulated(task, block.first)
    sums = (before, *normed_shard(task, FEED_FORWARD), *regions.router_parts())
    if task.model.normalises_outputs:
        return (operand(RESIDUAL, *shard), *sums)
    return sums


def _activated_in_grid(
    task: Task, regions: FeedForwardRegions
) -> list[ShardedOperator]:
    """Return the exchanges and vector work between the two products in a 2D layout.

    The root mean square is a factor, so it may be applied after the product: the norm
    sums of a grid row travel with the partial sums.
    """
    model, group = task.model, task.group
    own = regions.activated.sizes

    def sent_bytes(elements: Ints) -> Ints:
        return bytes_of(task.activation_format, elements * task.tokens)

    sums_bytes = task.norm_sum_bytes * task.tokens * (task.tensor // group.inputs)
    partial_bytes = sent_bytes(model.projections_in * own) + sums_bytes
    added = model.projections_in * own
    return [
        Exchange(
            "scatter_columns",
            Pattern.SCATTER,
            partial_bytes,
            group.column,
            carries=regions.unscaled_parts,
            attached=regions.row_squares,
        ),
        vector(
            task,
            "reduce_columns",
            added,
            operations=group.inputs + 1,
            operands=group.inputs,
            computes=regions.summing,
        ),
        vector(
            task,
            "activate",
            own,
            operations=6,
            operands=model.projections_in,
            computes=lambda: regions.activating(regions.activated),
        ),
        Exchange(
            "gather_columns",
            Pattern.GATHER,
            sent_bytes(own),
            group.column,
            carries=lambda: (operand(f"{FEED_FORWARD}.activated", *regions.activated),),
        ),
    ]
