"""Explanation of a plan: its ranking, the next best, stage imbalance, and limits."""

from typing import Any, NamedTuple

from compiler.compile_decode import time_token
from compiler.ir.schedule import Schedule
from compiler.ir.transfers import CycleBreakdown
from compiler.search.objective import Objective
from compiler.search.placement_search import best_placed
from compiler.search.ranking import Ranking, plan_of, ranking
from compiler.search.search_result import SearchResult
from compiler.search.sensitivity import Sensitivity, sensitivities
from experiments.plan_report.bottlenecks import Limit, limits
from experiments.run.plan_csv import SUFFIX
from experiments.run.preparation import NAIVE, Prepared

# Rows of a printed table.
MOST_SHOWN = 10
# More than the neighbours that a plan has.
_ALL_MOVES = 100


class StageLoss(NamedTuple):
    """Imbalance of a stage: the cycles it waits for the slowest in a full pipeline.

    Attributes
    ----------
    replica, stage, layers
        Replica and number of the stage, and its layers.
    cycles
        Cycles from the first to the last instruction for a token.
    lost_cycles
        Cycles that the slowest stage takes longer.
    """

    replica: int
    stage: int
    layers: str
    cycles: int
    lost_cycles: int


class NextBest(NamedTuple):
    """The strategy ranked second, and the cycles it takes beyond the best, by cause."""

    strategy: str
    more: CycleBreakdown


class Explanation(NamedTuple):
    """Explanation of a plan.

    Attributes
    ----------
    prepared, schedule
        The plan, and the schedule of a token under it.
    ranking
        The best strategies of the search, None without a search.
    next_best
        The strategy ranked second, None if it is not known to the cycle.
    stages
        The imbalance of stages, in the order of the pipeline.
    moves
        Neighbouring plans, the best first.
    limits
        Limits of the plan, the costliest first.
    """

    prepared: Prepared
    schedule: Schedule
    ranking: Ranking | None
    next_best: NextBest | None
    stages: tuple[StageLoss, ...]
    moves: tuple[Sensitivity, ...]
    limits: tuple[Limit, ...]


def explained(prepared: Prepared, schedule: Schedule) -> Explanation:
    """Return the explanation in a plan's report; timing neighbours takes seconds."""
    objective = Objective(prepared.scenario.objective)
    moves = sensitivities(schedule, objective, most=_ALL_MOVES)
    result = prepared.searched.found if prepared.searched else None
    ranked = ranking(result, most=MOST_SHOWN) if result else None
    limited = limits(
        prepared, schedule, moves, near_gain_cycles=_placement_gain(prepared, schedule)
    )
    return Explanation(
        prepared=prepared,
        schedule=schedule,
        ranking=ranked,
        next_best=_next_best(result, ranked) if result and ranked else None,
        stages=_stages(prepared, schedule),
        moves=tuple(moves[:MOST_SHOWN]),
        limits=tuple(limited),
    )


def explanation_block(why: Explanation) -> dict[str, Any]:
    """Return the explanation in the report of a plan, as a block for JSON."""
    schedule = why.schedule
    block: dict[str, Any] = {
        "strategy": str(why.prepared.plan.strategy),
        "sequences": why.prepared.plan.sequences,
        "latency_cycles": schedule.latency_cycles,
        "lower_bound_cycles": schedule.lower_bound_cycles,
        "breakdown_cycles": schedule.breakdown._asdict(),
        # The wait of a token if there are more sequences than stages.
        "turn_cycles": schedule.program.turn_cycles,
    }
    if why.ranking is not None:
        best = why.ranking.best[0].cost.first
        block["ranking"] = [
            {
                "strategy": str(each.strategy),
                "chips": each.strategy.chips,
                "sequences": each.sequences,
                "latency_cycles": each.latency_cycles,
                "cost": each.cost.first,
                "worse_by": each.cost.first / best - 1,
                "exact": each.exact,
            }
            for each in why.ranking.best
        ]
        block["others_cost_at_least"] = why.ranking.others_cost
    block["stages"] = [stage._asdict() for stage in why.stages]
    block["moves"] = [
        {
            "move": move.name,
            "latency_cycles": move.latency_cycles,
            "machine_cycles": move.share_cycles,
            "chips": move.chips,
            "exact": move.compiled,
        }
        for move in why.moves
    ]
    block["limits"] = [limit._asdict() for limit in why.limits]
    return block


def _placement_gain(prepared: Prepared, schedule: Schedule) -> int | None:
    """Return the cycles to report that a placement would save, None if no gain."""
    scenario = prepared.scenario
    if scenario.placement != NAIVE or scenario.strategy.endswith(SUFFIX):
        return None
    if prepared.plan.strategy.data > 1:
        return None
    return best_placed(schedule).gain_cycles


def _next_best(result: SearchResult, ranked: Ranking) -> NextBest | None:
    """Return the strategy to report as second, with its cycles beyond the best."""
    if len(ranked.best) == 1:
        return None
    second = ranked.best[1]
    if not second.exact or second.sequences > 1:
        return None
    plan = plan_of(result, second)
    assert plan is not None
    spent = time_token(plan, result.schedule.topology).timeline.spent
    pairs = zip(spent, result.schedule.breakdown, strict=True)
    return NextBest(str(second.strategy), CycleBreakdown(*(a - b for a, b in pairs)))


def _stages(prepared: Prepared, schedule: Schedule) -> tuple[StageLoss, ...]:
    """Return the imbalance of each stage for the plan's report."""
    cycles = schedule.timeline.stage_cycles
    return tuple(
        StageLoss(stage.replica, stage.index, stage.layers, own, max(cycles) - own)
        for stage, own in zip(prepared.plan.stages, cycles, strict=True)
    )
