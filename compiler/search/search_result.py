"""What a search for a strategy seeks, and what it has found."""

from dataclasses import dataclass
from typing import NamedTuple, final

from compiler.bounds.strategy_bound import SplitBound
from compiler.ir.schedule import Schedule
from compiler.search.objective import Cost, Objective
from sharding.parallelism.strategy import Strategy
from specs.errors import PlanError


class Evaluated(NamedTuple):
    """A strategy that is known to the cycle.

    Attributes
    ----------
    strategy, sequences
        What was timed, for how many sequences in flight.
    cost
        Its rank.
    latency_cycles
        From a token to the next of the same sequence.
    pace_cycles
        From one token to the next of any sequence, once the pipeline is full.
    stage_cycles
        Cycles between the first and the last thing that each stage does.
    """

    strategy: Strategy
    sequences: int
    cost: Cost
    latency_cycles: int
    pace_cycles: int
    stage_cycles: tuple[int, ...]


@final
@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class SearchResult:
    """What a search has found.

    Parameters
    ----------
    objective
        What was sought.
    schedule
        The best strategy, compiled.
    candidates
        Strategies that the chips allow for.
    scored
        Those whose memory could do, each with a bound.
    planned
        Those whose stages were cut.
    compiled
        Those that were compiled, the best first.
    timed
        Those whose every cycle is known without that they were compiled, sorted.
    refused
        Those that have no schedule, with the reason.
    bounded
        Those that were scored and then left: their least cost, and sequences in flight;
        the most promising first.
    bound
        What no strategy of the space beats, in the unit of the objective.
    """

    objective: Objective
    schedule: Schedule
    candidates: int
    scored: int
    planned: int
    compiled: tuple[Evaluated, ...]
    timed: tuple[Evaluated, ...]
    refused: tuple[tuple[Strategy, str], ...]
    bounded: tuple[tuple[Cost, int], ...]
    bound: float

    @property
    def known(self) -> tuple[Evaluated, ...]:
        """Return all that is known to the cycle, the best first."""
        return tuple(sorted(self.compiled + self.timed, key=lambda each: each.cost))

    @property
    def gap(self) -> float:
        """Return by what part the best may be worse than the best there is."""
        best = self.compiled[0].cost.first
        return (best - self.bound) / best


def nothing_fits(bound: SplitBound, chips: int, sequences: int) -> PlanError:
    """Return the error that says what the chips lack to hold a model at all.

    Parameters
    ----------
    bound
        The bound of any width, which knows what the model takes.
    chips, sequences
        Chips that there are, and sequences in flight.
    """
    held = bound.weight_bytes + sequences * bound.kv_cache_bytes
    chip = bound.task.machine.chip
    usable = chip.sram_bytes - chip.program_reserve_bytes
    return PlanError(
        f"no strategy holds {bound.task.model.name} on {chips} chips: weights and KV "
        f"cache take {held:,} bytes and the chips have {chips * usable:,} beside "
        f"their programs; use --chips {max(chips, -(-held // usable)) + 1} or more"
    )
