"""Train count of a token: a lower bound that is known before any is scheduled."""

import math
from collections import Counter

from compiler.collectives.exchange_phases import fewest_messages
from compiler.collectives.exchange_selection import MOST_TRAINS
from sharding.partition.block_partition import BlockPartition
from sharding.partition.feed_forward_cuts import FeedForwardCuts
from sharding.partition.partial_sums import summed_parts
from sharding.planner.plan import ShardingPlan
from sharding.weights.blocks import Block, BlockKind
from sharding.weights.task import Task
from specs.arrays import Ints
from specs.errors import ScheduleError
from topologies.topology import Topology
from workloads.operators import Function


def least_block_messages(
    task: Task, block: Block, topology: Topology, chips: Ints
) -> int:
    """Return how many messages at least are scheduled for a planned block or part.

    Messages within KV-head groups are not counted.

    Parameters
    ----------
    task, block
        The task with its tensor group, and the block.
    topology
        The topology.
    chips
        Members of the group, shape ``(width,)``.
    """
    group = task.group
    if group.width == 1 or block.kind is BlockKind.EMBEDDING:
        return 0
    part = BlockPartition(task, block)
    has_shard = part.shard.sizes > 0
    # What a norm has summed up is sent by chips without a shard too.
    normed = part.find(Function.NORM_WEIGH) is not None
    if block.kind is BlockKind.HEAD:
        # Only an all-gather: candidates go to one chip, and nothing is scattered.
        all_send = normed or bool(has_shard.all())
        return fewest_messages(topology, chips) if all_send else 0
    if group.alternating_groups > 1 and part.attends:
        # Each chip sends at least one message to the group that holds the layer, and
        # receives at least one from it.
        return 2 * (int(has_shard.sum()) - 1)
    # A chip that sums up nothing sends nothing, and one without a shard gets nothing.
    all_send = bool(has_shard.all() and (summed_parts(part).sizes > 0).all())
    if not part.in_grid:
        among_all = fewest_messages(topology, chips)
        return among_all * (normed or all_send) + among_all * all_send
    # An all-gather and a reduce-scatter across columns, and both along them.
    rows, columns = (
        sum(
            fewest_messages(topology, chips[index == line])
            for line in range(int(index.max()) + 1)
        )
        for index in (group.row, group.column)
    )
    all_send &= bool((FeedForwardCuts(part).activated.sizes > 0).all())
    return 2 * (rows + columns) if all_send else rows


def least_trains(plan: ShardingPlan, topology: Topology) -> int:
    """Return how many trains at least are scheduled for a token of `plan`.

    Each message of an exchange takes at least one train.
    """
    task, total = plan.task, 0
    for stage in plan.stages:
        alike = Counter(task.like(block) for block in stage.blocks)
        total += sum(
            count * least_block_messages(task, block, topology, stage.chips)
            for block, count in alike.items()
        )
    return total


def check_trains(trains: int, width: int, chips: int) -> None:
    """Refuse to schedule a token whose trains do not fit into memory.

    Parameters
    ----------
    trains
        Trains of a token.
    width
        Chips in a tensor group.
    chips
        Chips of all groups.

    Raises
    ------
    ScheduleError
        If there are more than `MOST_TRAINS`; the message names a width that may do.
    """
    if trains > MOST_TRAINS:
        # Messages grow with the square of the width at least.
        most = max(1, math.isqrt(width**2 * MOST_TRAINS // trains))
        narrower = next(
            n for n in range(min(most, width // 2), 0, -1) if chips % n == 0
        )
        raise ScheduleError(
            f"tensor={width} takes {trains:,} trains for a token or more, and "
            f"{MOST_TRAINS:,} are what 5 GB of memory hold; use "
            f"tensor={narrower},pipeline={chips // narrower} or a smaller width still"
        )
