"""Critical-path bound: the least latency of a plan, as a sum over its blocks.

A search cuts thousands of pipelines of the same few blocks on the same groups of chips.
The cycles of a block depend on its group and on how long weights could load before it,
so each such block is computed once, and a plan is a sum over them.
"""

from typing import NamedTuple, final

from compiler.bounds.congestion_bound import CongestionBound
from compiler.bounds.exchange_bound import ExchangeBoundCache
from compiler.ir.messages import MessageTable
from compiler.scheduling.stage_messages import stage_transfer, token_return
from compiler.scheduling.weight_prefetch import WeightPrefetcher
from sharding.operators.operators import Compute, Exchange, Unit
from sharding.parallelism.tensor_group import TensorGroup
from sharding.partition.block_operators import block_operators
from sharding.planner.plan import ShardingPlan, Stage
from sharding.weights.blocks import Block
from sharding.weights.task import Task

# Cycles in which weights may load, relative to the start of a block.
_Windows = tuple[tuple[int, int], ...]
_GroupBlock = tuple[TensorGroup, Block]


class _BlockPath(NamedTuple):
    """Path of a block: its cycles, and those left that are free to load weights."""

    cycles: int
    windows: _Windows


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
        self._operators: dict[_GroupBlock, list[Compute | Exchange]] = {}
        self._prefetch: WeightPrefetcher | None = None
        self._paths: dict[tuple[_GroupBlock, bytes, _Windows], _BlockPath] = {}

    def least_latency(self, plan: ShardingPlan) -> int:
        """Return a lower bound on the cycles from a token to the next of its sequence.

        Everything on the critical path takes as little as it may, and no chip deskews.

        Parameters
        ----------
        plan
            Who holds what, of a single replica.
        """
        now = begin = slowest = 0
        windows: _Windows = ()
        for stage in plan.stages:
            chips = stage.chips.tobytes()
            for block in stage.blocks:
                path = self._block(plan.task, block, stage, chips, windows)
                now += path.cycles
                windows = path.windows
            if stage.index + 1 == len(plan.stages):
                now += self._sent_cycles(token_return(plan))
                slowest = max(slowest, now - begin)
            else:
                sent = stage_transfer(plan, stage, plan.stages[stage.index + 1])
                transfer = self._sent_cycles(sent)
                now += transfer
                slowest = max(slowest, now - begin)
                begin = now - transfer
                # During the transfer the next stage can do nothing but load weights.
                windows = ((-transfer, 0),) if transfer else ()
        if plan.sequences == 1:
            return now
        # One stage serves all sequences in turn, and deskews in between.
        interval = slowest + plan.task.machine.hac.epoch_cycles
        return max(now, plan.sequences * interval)

    def _block(
        self, task: Task, block: Block, stage: Stage, chips: bytes, windows: _Windows
    ) -> _BlockPath:
        """Return the path of a block after free cycles, kept for equal blocks."""
        like = task.group, task.like(block)
        key = like, chips, windows
        if key not in self._paths:
            self._paths[key] = self._block_path(task, like, stage, windows)
        return self._paths[key]

    def _block_path(
        self, task: Task, like: _GroupBlock, stage: Stage, windows: _Windows
    ) -> _BlockPath:
        """Return the path of a block, scheduled as `token_timeline` does."""
        if like not in self._operators:
            self._operators[like] = block_operators(task, like[1])
        chip = task.machine.chip
        if self._prefetch is None:
            self._prefetch = WeightPrefetcher(chip)
        prefetch, now = self._prefetch, 0
        prefetch.restart()
        for start, end in windows:
            prefetch.free(start, end)
        for operator in self._operators[like]:
            begin = now
            if isinstance(operator, Exchange):
                now += self._exchanges.cycles(task, operator, stage.chips)
            elif not operator.cycles.any():
                continue
            elif operator.unit is Unit.MATMUL:
                now += int(prefetch.product(operator, begin).cycles.max())
                prefetch.restart()
                begin = now - chip.matmul_fill_cycles
            else:
                now += int(operator.cycles.max())
                if operator.unit is not Unit.VECTOR:
                    continue
            prefetch.free(begin, now)
        left = tuple((start - now, end - now) for start, end in prefetch.windows)
        return _BlockPath(now, left)

    def _sent_cycles(self, messages: MessageTable) -> int:
        """Return the least cycles of a phase of messages."""
        return self._links.transport(messages).duration_cycles


def least_latency_cycles(plan: ShardingPlan, links: CongestionBound) -> int:
    """Return the critical-path bound of a single plan, as `CriticalPathBound` does."""
    return CriticalPathBound(links, ExchangeBoundCache(links)).least_latency(plan)
