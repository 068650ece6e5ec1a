"""Critical-path bound: the least latency of a plan, as a sum over its blocks.

A search cuts thousands of pipelines of the same few blocks on the same groups of chips.
The cycles of a block depend on its group and on how long weights could load before it,
so each such block is computed once, and a plan is a sum over them.
"""

from collections.abc import Hashable
from typing import final

from compiler.bounds.congestion_bound import CongestionBound
from compiler.bounds.exchange_bound import ExchangeBoundCache
from compiler.ir.messages import MessageTable
from compiler.passes.model_pass import model_pass
from compiler.passes.planned_pass import PassBlock, PassStage, PlannedPass, walk_pass
from compiler.scheduling.block_path import BlockPath, block_path
from compiler.scheduling.weight_prefetch import WeightPrefetcher, Windows
from sharding.operators.operators import Exchange, ShardedOperator
from sharding.planner.plan import ShardingPlan
from sharding.weights.task import Task


@final
class CriticalPathBound:
    """Lower bounds on the latency of plans that differ in nothing but the strategy.

    Parameters
    ----------
    links
        The least cycles of messages.
    exchanges
        The least cycles of exchanges.
    """

    def __init__(self, links: CongestionBound, exchanges: ExchangeBoundCache) -> None:
        self._links = links
        self._exchanges = exchanges
        self._ways: dict[Hashable, tuple[list[ShardedOperator], ...]] = {}
        self._prefetch: WeightPrefetcher | None = None
        self._paths: dict[tuple[Hashable, bytes, Windows], BlockPath] = {}

    def least_latency(self, plan: ShardingPlan) -> int:
        """Return a lower bound on the cycles from a token to the next of its sequence.

        Everything on the critical path takes as little as it may, and no chip deskews.

        Parameters
        ----------
        plan
            Who holds what, of a single replica.
        """
        planned = model_pass(plan)
        path = _PlanPath(self, plan.task, planned)
        walk_pass(planned, path)
        if plan.sequences == 1:
            return path.now
        # One stage serves all sequences in turn, and deskews in between.
        interval = path.slowest + plan.task.machine.hac.epoch_cycles
        return max(path.now, plan.sequences * interval)

    def block(
        self, task: Task, block: PassBlock, stage: PassStage, windows: Windows
    ) -> BlockPath:
        """Return the path of a block after free cycles, kept for equal blocks."""
        key = block.like, stage.chips.tobytes(), windows
        if key not in self._paths:
            self._paths[key] = self._block_path(task, block, stage, windows)
        return self._paths[key]

    def _block_path(
        self, task: Task, block: PassBlock, stage: PassStage, windows: Windows
    ) -> BlockPath:
        """Return the path of a block, scheduled as `pass_timeline` does."""
        if block.like not in self._ways:
            self._ways[block.like] = block.all_ways()
        if self._prefetch is None:
            self._prefetch = WeightPrefetcher(task.machine.chip)
        prefetch = self._prefetch

        def exchange_cycles(exchange: Exchange) -> int:
            return self._exchanges.cycles(task, exchange, stage.chips)

        paths = [
            block_path(way, exchange_cycles, prefetch, windows, least=True)
            for way in self._ways[block.like]
        ]
        # Whichever way is taken, it leaves no more cycles to load weights.
        left = max((path.windows for path in paths), key=_free_cycles)
        return BlockPath(min(path.cycles for path in paths), left)

    def sent_cycles(self, messages: MessageTable) -> int:
        """Return a lower bound on the cycles of a phase of messages."""
        return self._links.transport(messages).duration_cycles


def _free_cycles(windows: Windows) -> int:
    """Return the cycles of all windows together."""
    return sum(end - start for start, end in windows)


@final
class _PlanPath:
    """Path of a plan: the least cycles of a token, step by step.

    Attributes
    ----------
    now, slowest
        Cycles so far, and those of the slowest stage.
    """

    def __init__(
        self, bound: CriticalPathBound, task: Task, planned: PlannedPass
    ) -> None:
        self._bound = bound
        self._task = task
        self._planned = planned
        self._windows: Windows = ()
        self._begin = 0
        self.now = 0
        self.slowest = 0

    def block(self, stage: PassStage, block: PassBlock) -> None:
        """Add the path of a block."""
        path = self._bound.block(self._task, block, stage, self._windows)
        self.now += path.cycles
        self._windows = path.windows

    def stage_transfer(self, stage: PassStage, following: PassStage) -> None:
        """Add a transfer, during which the next stage can only load weights."""
        cycles = self._send(self._planned.transfer(stage, following))
        self._begin = self.now - cycles
        self._windows = ((-cycles, 0),) if cycles else ()

    def token_return(self, stage: PassStage) -> None:  # noqa: ARG002
        """Add the return of the token."""
        self._send(self._planned.returned)

    def _send(self, messages: MessageTable) -> int:
        """Add a phase of messages, and return its cycles."""
        cycles = self._bound.sent_cycles(messages)
        self.now += cycles
        self.slowest = max(self.slowest, self.now - self._begin)
        return cycles


def least_latency_cycles(plan: ShardingPlan, links: CongestionBound) -> int:
    """Return the critical-path bound of a single plan, as `CriticalPathBound` does."""
    return CriticalPathBound(links, ExchangeBoundCache(links)).least_latency(plan)
