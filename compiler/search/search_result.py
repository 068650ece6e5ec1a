"""Search result: the best strategy, and what the search knows of all others."""

from dataclasses import dataclass
from typing import NamedTuple, final

from compiler.bounds.strategy_bound import SplitBound
from compiler.ir.schedule import Schedule
from compiler.search.objective import Cost, Objective
from compiler.search.search_space import GROQRACK, MachineShape, strategies_on
from sharding.parallelism.strategy import Strategy
from sharding.planner.infeasibility import fewest_chips
from specs.errors import PlanError


class Evaluated(NamedTuple):
    """Evaluated strategy: timed or compiled, so that its cycles are exact.

    Attributes
    ----------
    strategy, sequences
        What was evaluated, with its sequences in flight.
    cost
        Its cost.
    latency_cycles
        From a token to the next of the same sequence.
    interval_cycles
        From one token to the next of any sequence, once the pipeline is full.
    stage_cycles
        Cycles between the first and the last thing that each stage does.
    """

    strategy: Strategy
    sequences: int
    cost: Cost
    latency_cycles: int
    interval_cycles: int
    stage_cycles: tuple[int, ...]


@final
@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class SearchResult:
    """Result of a search for the best strategy.

    Parameters
    ----------
    objective
        What was sought.
    schedule
        The best strategy, compiled.
    candidates
        Number of strategies that the chips allow for.
    scored
        Number of those that memory may hold, each with a bound.
    planned
        Number of those whose stages were cut.
    compiled
        Those that were compiled, the best first.
    timed
        Those that were timed to the cycle but not compiled, sorted.
    refused
        Those that have no schedule, with the reason.
    bounded
        Those that were scored and then left: their least cost, and sequences in flight;
        sorted.
    bound
        Lower bound on all strategies of the space, in the unit of the objective.
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
        """Return all evaluated strategies, the best first."""
        return tuple(sorted(self.compiled + self.timed, key=lambda each: each.cost))

    @property
    def gap(self) -> float:
        """Return the relative gap between the best strategy and the bound."""
        best = self.compiled[0].cost.first
        return (best - self.bound) / best


def nothing_fits(
    bound: SplitBound, chips: int, sequences: int, shape: MachineShape = GROQRACK
) -> PlanError:
    """Return the search's error if no strategy holds a model, with the chips it needs.

    Parameters
    ----------
    bound
        The bound of any split, which has the bytes of the model.
    chips, sequences
        Chips that there are, and sequences in flight.
    shape
        The machine's nodes and racks.
    """
    held = bound.weight_bytes + sequences * bound.kv_cache_bytes
    task = bound.task
    usable = task.machine.chip.sram_bytes - task.machine.chip.program_reserve_bytes
    fewest = fewest_chips(
        task,
        sequences,
        lambda count: strategies_on(task.model, count, shape),
        more_than=chips,
    )
    remedy = "shorten the context, or use smaller formats"
    if fewest is not None:
        remedy = f"use --chips {fewest.chips} or more"
    on = "1 chip" if chips == 1 else f"{chips:,} chips"
    return PlanError(
        f"no strategy holds {task.model.name} on {on}: weights and KV cache take "
        f"{held:,} bytes and the chips have {chips * usable:,} beside their programs; "
        f"{remedy}"
    )
