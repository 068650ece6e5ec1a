"""Feed-forwards of a model on a machine whose attention is on other devices.

Every group of chips holds the feed-forwards of some layers. A layer's is compiled as a
program of its own, from the residual stream that arrives to the one that leaves. Its
certificate is of hazards: the proof of what a program computes covers whole models.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from compiler.compile_decode import compile_token
from compiler.verify import verify
from sharding.parallelism.strategy import Strategy
from sharding.planner.plan import staged_plan
from sharding.weights.blocks import Block, BlockKind
from sharding.weights.task import Task
from specs.arrays import Ints
from specs.errors import PlanError
from specs.units import ceil_div
from topologies.topology import Topology


class FeedForward(NamedTuple):
    """Feed-forward of a layer on a group of chips in a pairing.

    Attributes
    ----------
    layer
        The layer.
    unit
        Number of its group.
    cycles
        Latency of its program.
    certificate
        Digest of the program's certificate, of hazards alone.
    """

    layer: int
    unit: int
    cycles: int
    certificate: str


def compile_feed_forwards(
    task: Task, strategy: Strategy, topology: Topology, chips: Ints
) -> list[FeedForward]:
    """Return the feed-forward of each layer, compiled for the batch of a lane.

    Groups are alike: the program of the first one stands for all. Layers of a kind have
    one program.

    Parameters
    ----------
    task
        Model, machine, and the sequences of a lane as its batch.
    strategy
        Split of a group; its pipeline is not used.
    topology, chips
        The topology, and its chips in the order of use.

    Raises
    ------
    PlanError
        If there is no whole group, or the layers of a group do not fit its SRAM.
    ScheduleError
        If no schedule holds.
    """
    groups = len(chips) // strategy.tensor
    if not groups:
        raise PlanError(
            f"{strategy} takes {strategy.tensor} chips but {len(chips)} are there"
        )
    model = task.model
    blocks = [Block(BlockKind.FEED_FORWARD, n, 0, 1, 1) for n in range(model.layers)]
    each = ceil_div(model.layers, groups)
    one_stage = replace(strategy, pipeline=1, data=1)
    for first in range(0, model.layers, each):
        _check_fit(task, one_stage, chips, blocks[first : first + each])
    compiled: dict[int, tuple[int, str]] = {}
    found = []
    for block in blocks:
        like = model.feed_forward_like(block.layer)
        if like not in compiled:
            plan = staged_plan(task, one_stage, chips, [(block,)], 1)
            schedule = compile_token(plan, topology)
            certificate = verify(schedule.program, topology, task.machine)
            compiled[like] = schedule.latency_cycles, certificate.digest
        found.append(FeedForward(block.layer, block.layer // each, *compiled[like]))
    return found


def _check_fit(
    task: Task, strategy: Strategy, chips: Ints, blocks: Sequence[Block]
) -> None:
    """Refuse feed-forwards that do not fit a group's SRAM."""
    plan = staged_plan(task, strategy, chips, [tuple(blocks)], 1)
    sram_bytes = task.machine.chip.sram_bytes
    lacking = plan.fullest_chip_bytes - sram_bytes
    if lacking > 0:
        raise PlanError(
            f"{len(blocks)} feed-forwards of {task.model.name} on a group of "
            f"{strategy.tensor} chips lack {lacking:,} bytes on the fullest chip; use "
            f"wider groups, more chips or smaller lanes"
        )
