"""The operators of a feed-forward: dense, of experts, or in a 2D layout."""

import numpy as np

from sharding.operators.expert_routing import routed
from sharding.operators.operator_builders import matrix_product, vector
from sharding.operators.operators import Exchange, Pattern, ShardedOperator
from sharding.operators.residual_stream import (
    gathered_input,
    normed_input,
    reduced_output,
)
from sharding.transformer.blocks import Block
from sharding.transformer.task import Task, bytes_of
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
    columns = group.column_range(*block.range_of(model.intermediate_size)).sizes
    hidden = group.input_range(model.hidden_size).sizes
    # All chips of an expert group hold the same experts, each a part of the columns.
    # Tokens may choose different experts, and a static schedule has room for all.
    experts, pairs = routed(task)
    weights = experts * columns * hidden
    if grid:
        operators = gathered_input(task, opens=block.opens, teams=group.row)
    else:
        operators = normed_input(
            task, opens=block.opens, extra_bytes=task.router_bytes()
        )
    if model.experts > 1:
        if block.opens:
            shard = task.shard_sizes()
            router = matrix_product(task, "router", shard * model.experts, inputs=shard)
            operators.insert(1, router)
        chosen = np.full(task.tensor, model.experts, dtype=np.int64)
        operators.append(vector(task, "choose", chosen, operations=4, passes=2))
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
        )
    )
    if grid:
        operators += _activated_in_grid(task, block)
    else:
        operators.append(
            vector(
                task,
                "activate",
                pairs * columns,
                operations=6,
                operands=model.projections_in,
                tokens=1,
            )
        )
    operators.append(
        matrix_product(task, "down", weights, inputs=experts * columns, ready=ready)
    )
    return operators + reduced_output(
        task,
        teams=group.row,
        summands=task.tensor // group.inputs,
        post_norm=model.normalises_outputs and block.closes,
        biased=model.feed_forward_biases and block.closes,
    )


def _activated_in_grid(task: Task, block: Block) -> list[ShardedOperator]:
    """Return the exchanges and vector work between the two products in a 2D layout.

    The root mean square is a factor, so it may be applied after the product: the norm
    sums of a grid row travel with the partial sums.
    """
    model, group = task.model, task.group
    own = group.activated_range(*block.range_of(model.intermediate_size)).sizes

    def sent_bytes(elements: Ints) -> Ints:
        return bytes_of(task.activation_format, elements * task.tokens)

    sums_bytes = task.norm_sum_bytes * task.tokens
    partial_bytes = sent_bytes(model.projections_in * own) + sums_bytes
    added = model.projections_in * own
    return [
        Exchange("scatter_columns", Pattern.SCATTER, partial_bytes, group.column),
        vector(
            task,
            "reduce_columns",
            added,
            operations=group.inputs + 1,
            operands=group.inputs,
        ),
        vector(task, "activate", own, operations=6, operands=model.projections_in),
        Exchange("gather_columns", Pattern.GATHER, sent_bytes(own), group.column),
    ]
