"""Nodes of mirrored KV caches: a chip and its mirror must not fail together."""

from sharding.planner.plan import ShardingPlan
from specs.errors import PlanError
from topologies.topology import Topology


def check_mirror_nodes(plan: ShardingPlan, topology: Topology) -> None:
    """Check the placement of mirrors: each is on another node than what it mirrors.

    Raises
    ------
    PlanError
        If caches are mirrored and a chip is on one node with its mirror, the member of
        its place in the next stage.
    """
    if not plan.task.mirrored:
        return
    for replica in plan.replicas:
        stages = replica.stages
        for stage, mirror in zip(stages, stages[1:] + stages[:1], strict=True):
            pairs = zip(stage.chips.tolist(), mirror.chips.tolist(), strict=True)
            for chip, other in pairs:
                node = int(topology.node[chip])
                if node == topology.node[other]:
                    raise PlanError(
                        f"failover.kv_cache=mirrored: {_pair(chip, other)} on node "
                        f"{node}, which fails as a whole; use stages of whole nodes, "
                        f"such as tensor={plan.machine.system.tensor}, and two or "
                        f"more, or failover.kv_cache=recompute"
                    )


def _pair(chip: int, mirror: int) -> str:
    """Return a chip and its mirror in words of a placement error."""
    if chip == mirror:
        return f"chip {chip} has no other stage to mirror it, and is"
    return f"chip {chip} and its mirror, chip {mirror}, are both"
