"""The least time of a plan's token, from chains of blocks that many plans share.

A search cuts thousands of pipelines of the same few blocks on the same groups of chips.
What a block takes depends on its group and on how long weights could load before it, so
each such chain is worked out once, and a plan is a sum over them.
"""

from typing import NamedTuple, final

from compiler.bounds.congestion_bound import CongestionBound
from compiler.bounds.exchange_bound import KnownExchanges
from compiler.ir.messages import MessageTable
from compiler.scheduling.stage_messages import stage_transfer, token_return
from compiler.scheduling.weight_prefetch import WeightPrefetcher
from sharding.operators.block_operators import block_operators
from sharding.operators.operators import Compute, Exchange, Unit
from sharding.parallelism.tensor_group import TensorGroup
from sharding.planner.plan import ShardingPlan, Stage
from sharding.transformer.blocks import Block
from sharding.transformer.task import Task

# Cycles in which weights may load, relative to the start of a block.
_Windows = tuple[tuple[int, int], ...]
_GroupBlock = tuple[TensorGroup, Block]


class _Taken(NamedTuple):
    """What a block takes on a group, and the cycles it leaves free to load weights."""

    cycles: int
    windows: _Windows


@final
class CriticalPathBound:
    """Lower bounds on the tokens of plans that differ in nothing but the strategy.

    Parameters
    ----------
    links
        What says how long messages take at least.
    exchanges
        What exchanges take at least.
    """

    def __init__(self, links: CongestionBound, exchanges: KnownExchanges) -> None:
        self._links = links
        self._exchanges = exchanges
        self._operators: dict[_GroupBlock, list[Compute | Exchange]] = {}
        self._prefetch: WeightPrefetcher | None = None
        self._taken: dict[tuple[_GroupBlock, bytes, _Windows], _Taken] = {}

    def least_latency(self, plan: ShardingPlan) -> int:
        """Return a lower bound on the cycles from a token to the next of its sequence.

        Everything in the chain takes as little as it may, and nobody deskews.

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
                taken = self._block(plan.task, block, stage, chips, windows)
                now += taken.cycles
                windows = taken.windows
            if stage.index + 1 == len(plan.stages):
                now += self._sent_cycles(token_return(plan))
                slowest = max(slowest, now - begin)
            else:
                sent = stage_transfer(plan, stage, plan.stages[stage.index + 1])
                handed = self._sent_cycles(sent)
                now += handed
                slowest = max(slowest, now - begin)
                begin = now - handed
                # Until it comes, the next stage has nothing to do but load weights.
                windows = ((-handed, 0),) if handed else ()
        if plan.sequences == 1:
            return now
        # One stage serves all sequences in turn, and deskews in between.
        pace = slowest + plan.task.machine.hac.epoch_cycles
        return max(now, plan.sequences * pace)

    def _block(
        self, task: Task, block: Block, stage: Stage, chips: bytes, windows: _Windows
    ) -> _Taken:
        like = task.group, task.like(block)
        key = like, chips, windows
        if key not in self._taken:
            self._taken[key] = self._chained(task, like, stage, windows)
        return self._taken[key]

    def _chained(
        self, task: Task, like: _GroupBlock, stage: Stage, windows: _Windows
    ) -> _Taken:
        """Return what a block takes, put together as `timeline.token_timeline` does."""
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
        return _Taken(now, left)

    def _sent_cycles(self, messages: MessageTable) -> int:
        return self._links.transport(messages).duration_cycles


def least_latency_cycles(plan: ShardingPlan, links: CongestionBound) -> int:
    """Return what `CriticalPathBound.least_latency` says of a single plan."""
    return CriticalPathBound(links, KnownExchanges(links)).least_latency(plan)
