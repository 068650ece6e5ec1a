"""Train count of a token: a lower bound that is known before any is scheduled."""

import math

from compiler.collectives.exchange_phases import fewest_messages
from compiler.collectives.exchange_selection import MOST_TRAINS
from sharding.parallelism.tensor_group import TensorGroup
from sharding.planner.plan import ShardingPlan
from sharding.weights.blocks import BlockKind
from specs.arrays import Ints
from specs.errors import ScheduleError
from topologies.topology import Topology


def least_block_messages(
    group: TensorGroup, topology: Topology, chips: Ints
) -> dict[BlockKind, int]:
    """Return how many messages at least are scheduled for each kind of block or part.

    Messages within KV-head groups are not counted.

    Parameters
    ----------
    group
        How the chips share a layer.
    topology
        The topology.
    chips
        Members of the group, shape ``(width,)``.
    """
    among_all = fewest_messages(topology, chips)
    # With alternating groups each chip sends at least one message to the group that
    # holds the layer, and receives at least one from it.
    attention = among_all if group.alternating_groups == 1 else group.width - 1
    feed_forward = among_all
    if group.inputs > 1:
        # An all-gather and a reduce-scatter across columns, and both along them.
        feed_forward = sum(
            fewest_messages(topology, chips[index == line])
            for index in (group.row, group.column)
            for line in range(int(index.max()) + 1)
        )
    return {
        BlockKind.EMBEDDING: 0,
        BlockKind.ATTENTION: 2 * attention,
        BlockKind.FEED_FORWARD: 2 * feed_forward,
        # Only an all-gather: candidates go to one chip, and nothing is scattered.
        BlockKind.HEAD: among_all,
    }


def least_trains(plan: ShardingPlan, topology: Topology) -> int:
    """Return how many trains at least are scheduled for a token of `plan`.

    Each message of an exchange takes at least one train.
    """
    return sum(
        sum(messages[block.kind] for block in stage.blocks)
        for stage in plan.stages
        for messages in (least_block_messages(plan.task.group, topology, stage.chips),)
    )


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
