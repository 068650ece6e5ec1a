"""How many trains a token takes, known before they are scheduled one by one."""

import math

from compiler.collective import fewest_messages
from sharding.plan import ShardingPlan
from sharding.units import Kind
from specs.errors import ScheduleError
from topologies.topology import Topology

# A schedule of this many trains takes 5 GB and two minutes to simulate.
MOST_TRAINS = 6_000_000


# Exchanges of a block among all chips of its group: a gather and a scatter; of a head a
# gather, since only candidates go on, to one chip.
FULL_EXCHANGES = {
    Kind.EMBEDDING: 0,
    Kind.ATTENTION: 2,
    Kind.FEED_FORWARD: 2,
    Kind.HEAD: 1,
}


def trains_at_least(plan: ShardingPlan, topology: Topology) -> int:
    """Return a number of trains that a token of `plan` needs, or more.

    Each message of an exchange among all chips of a group takes at least one train.
    What fewer of them exchange is not counted.
    """
    group = plan.task.group
    among_all = dict(FULL_EXCHANGES)
    if group.turns > 1:
        among_all[Kind.ATTENTION] = 0
    if group.inputs > 1:
        among_all[Kind.FEED_FORWARD] = 0
    return sum(
        fewest_messages(topology, stage.chips)
        * sum(among_all[block.kind] for block in stage.blocks)
        for stage in plan.stages
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
