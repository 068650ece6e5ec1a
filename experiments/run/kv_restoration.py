"""Restoration of a lost part of the KV cache, compiled: what must run again for it.

Keys and values of a layer are made from the residual stream before it, which no chip
keeps. So a lost part is computed from the first layer on: all positions of the
sequences in flight go as a prefill through every stage up to the attention of the last
layer that lost something. Stages behind it keep what they have.
"""

from collections.abc import Collection

from chip.program import Program
from compiler.compile_copy import Kept, compile_copies
from compiler.compile_recompute import compile_recomputation
from compiler.ir.messages import MessageTable
from compiler.verify import verify
from experiments.run.prompt import TOKEN_BYTES
from fabric.faults.spares import Restoration
from sharding.planner.memory import kv_cache_bytes
from sharding.planner.plan import ShardingPlan, Stage
from specs.arrays import Ints
from topologies.outage import Outage
from topologies.topology import Topology


def restorations(
    plan: ShardingPlan,
    program: Program,
    lost: Collection[int],
    topology: Topology,
    *,
    outage: Outage,
    chunk_tokens: int = 0,
) -> tuple[Restoration, ...]:
    """Return the compiled programs that restore the KV cache of lost chips, in order.

    If caches are mirrored, what a mirror still has is copied from it, and what a lost
    chip has mirrored is copied to it again. The rest is recomputed before that.

    Parameters
    ----------
    plan, program
        The plan on the chips that work, with the lost ones among them, and its program.
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
    if not plan.task.mirrored:
        return recomputations(
            plan, lost, topology, outage=outage, chunk_tokens=chunk_tokens
        )
    copies: dict[tuple[int, int], int] = {}
    without: set[int] = set()
    for replica in plan.replicas:
        stages = replica.stages
        for stage, mirror in zip(stages, stages[1:] + stages[:1], strict=True):
            held = _cache_bytes(replica, stage)
            chips = zip(stage.chips.tolist(), mirror.chips.tolist(), strict=True)
            for (own, other), size in zip(chips, held.tolist(), strict=True):
                if own in lost and other in lost:
                    without.add(own)
                if size and (own in lost) != (other in lost):
                    way = (other, own) if own in lost else (own, other)
                    copies[way] = copies.get(way, 0) + size
                elif size and own in lost:
                    copies[own, other] = copies.get((own, other), 0) + size
    made = recomputations(
        plan, without, topology, outage=outage, chunk_tokens=chunk_tokens
    )
    if not copies:
        return made
    messages = MessageTable.of(
        (source, target, size) for (source, target), size in sorted(copies.items())
    )
    kept = Kept(program.leader, program.resident)
    copying = compile_copies(topology, plan.machine, messages, kept, outage=outage)
    verify(copying, topology, plan.machine, outage)
    size = sum(copies.values())
    return *made, Restoration(copying, 1, 0, size, chained=False)


def _cache_bytes(plan: ShardingPlan, stage: Stage) -> Ints:
    """Return the bytes of the KV cache that each chip of a stage has of its own."""
    total = 0 * stage.chips
    for block in stage.blocks:
        total = total + kv_cache_bytes(plan.task, block, plan.sequences)
    return total


def recomputations(
    plan: ShardingPlan,
    lost: Collection[int],
    topology: Topology,
    *,
    outage: Outage,
    chunk_tokens: int = 0,
) -> tuple[Restoration, ...]:
    """Return the compiled prefills that restore the KV cache of lost chips.

    There is one for each replica that lost something. It is compiled for the context of
    the plan, to which the cache may be filled, and for all sequences in flight.

    Parameters and errors are those of `restorations`.
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
