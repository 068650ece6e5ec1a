"""Restoration of a lost part of the KV cache, compiled: what must run again for it.

Keys and values of a layer are made from the residual stream before it, which no chip
keeps. So a lost part is computed from the first layer on: all positions of the
sequences in flight go as a prefill through every stage up to the attention of the last
layer that lost something. Stages behind it keep what they have.
"""

from collections.abc import Collection

from compiler.compile_recompute import compile_recomputation
from compiler.verify import verify
from experiments.run.prompt import TOKEN_BYTES
from fabric.faults.spares import Restoration
from sharding.planner.memory import kv_cache_bytes
from sharding.planner.plan import ShardingPlan
from topologies.outage import Outage
from topologies.topology import Topology


def recomputations(
    plan: ShardingPlan,
    lost: Collection[int],
    topology: Topology,
    outage: Outage,
    chunk_tokens: int = 0,
) -> tuple[Restoration, ...]:
    """Return the compiled prefills that restore the KV cache of lost chips.

    There is one for each replica that lost something. It is compiled for the context of
    the plan, to which the cache may be filled, and for all sequences in flight.

    Parameters
    ----------
    plan
        The plan on the chips that work, with the lost ones among them.
    lost
        Chips whose KV cache is lost.
    topology, outage
        The topology, and what of it is out of order.
    chunk_tokens
        Positions that are computed together; 0 for the fastest power of two.

    Raises
    ------
    RackError
        If no chunk fits or no schedule holds.
    """
    made = []
    for replica in plan.replicas:
        layers, lost_bytes = _lost(replica, lost)
        if not lost_bytes:
            continue
        made_again = compile_recomputation(
            replica, topology, layers, chunk_tokens=chunk_tokens, outage=outage
        )
        schedule = made_again.schedule
        verify(
            schedule.program,
            topology,
            plan.machine,
            outage,
            plan=schedule.plan,
            cached_layers=layers,
        )
        tokens = replica.task.context * replica.task.batch * replica.sequences
        made.append(
            Restoration(
                program=schedule.program,
                iterations=made_again.rounds,
                host_bytes=TOKEN_BYTES * tokens,
                restored_bytes=lost_bytes,
                chained=True,
            )
        )
    return tuple(made)


def _lost(plan: ShardingPlan, lost: Collection[int]) -> tuple[int, int]:
    """Return the layers up to the last that lost something, and the bytes lost."""
    layers = total = 0
    for stage in plan.stages:
        members = [row for row, c in enumerate(stage.chips.tolist()) if c in lost]
        for block in stage.blocks if members else ():
            held = kv_cache_bytes(plan.task, block, plan.sequences)[members]
            if held.any():
                layers = block.layer + 1
                total += int(held.sum())
    return layers, total
