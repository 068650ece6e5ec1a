"""How many trains a token takes, known before they are scheduled one by one."""

import math

from compiler.collectives.exchange_phases import fewest_messages
from sharding.parallelism.tensor_group import TensorGroup
from sharding.planner.plan import ShardingPlan
from sharding.transformer.blocks import BlockKind
from specs.arrays import Ints
from specs.errors import ScheduleError
from topologies.topology import Topology

# A schedule of this many trains takes 5 GB and two minutes to simulate.
MOST_TRAINS = 6_000_000


def block_messages(
    group: TensorGroup, topology: Topology, chips: Ints
) -> dict[BlockKind, int]:
    """Return messages that each kind of block, or a part of one, needs at least.

    What the chips of a head exchange is not counted.

    Parameters
    ----------
    group
        How the chips share a layer.
    topology
        The wiring.
    chips
        Members of the group, shape ``(width,)``.
    """
    among_all = fewest_messages(topology, chips)
    # Where layers take turns, each chip sends at least one to those whose turn it is,
    # and has at least one from them.
    attention = among_all if group.alternating_groups == 1 else group.width - 1
    feed_forward = among_all
    if group.inputs > 1:
        # Across the columns it gathers and scatters, and along them in between.
        feed_forward = sum(
            fewest_messages(topology, chips[teams == team])
            for teams in (group.row, group.column)
            for team in range(int(teams.max()) + 1)
        )
    return {
        BlockKind.EMBEDDING: 0,
        BlockKind.ATTENTION: 2 * attention,
        BlockKind.FEED_FORWARD: 2 * feed_forward,
        # Only candidates go on, to one chip.
        BlockKind.HEAD: among_all,
    }


def trains_at_least(plan: ShardingPlan, topology: Topology) -> int:
    """Return a number of trains that a token of `plan` needs, or more.

    Each message of an exchange takes at least one train.
    """
    return sum(
        sum(messages[block.kind] for block in stage.blocks)
        for stage in plan.stages
        for messages in (block_messages(plan.task.group, topology, stage.chips),)
    )


def check_trains(trains: int, width: int, chips: int) -> None:
    """Refuse a schedule that is too large to be held.

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
        If there are more trains than memory allows for.
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
