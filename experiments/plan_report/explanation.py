"""Why a plan is the best, what comes next, what stages lose, and what limits it."""

from typing import Any, NamedTuple

from compiler.compile_decode import time_token
from compiler.ir.schedule import Schedule
from compiler.ir.transfers import CycleBreakdown
from compiler.search.objective import Objective
from compiler.search.placement_search import best_placed
from compiler.search.ranking import Ranking, plan_of, ranking
from compiler.search.search_result import SearchResult
from compiler.search.sensitivity import Sensitivity, best_moves
from experiments.plan_report.bottlenecks import Limit, limits
from experiments.run.plan_csv import SUFFIX
from experiments.run.preparation import NAIVE, Prepared

# Rows of a table that a person reads.
MOST_SHOWN = 10
# More moves than there ever are from a plan.
_ALL_MOVES = 100


class StageLoss(NamedTuple):
    """What a stage waits for the slowest, once every stage is at work.

    Attributes
    ----------
    replica, stage, layers
        Which stage it is, and what it holds.
    cycles
        Between the first and the last thing that it does for a token.
    lost_cycles
        What the slowest stage of all takes longer.
    """

    replica: int
    stage: int
    layers: str
    cycles: int
    lost_cycles: int


class Next(NamedTuple):
    """The strategy after the best, and what it spends more than that, by cause."""

    strategy: str
    more: CycleBreakdown


class Explanation(NamedTuple):
    """Why a plan is as it is.

    Attributes
    ----------
    prepared, schedule
        The plan, and the schedule of a token under it.
    ranking
        The best strategies of the search, None if there was none.
    after
        The one after the best, None if there is none that is known to the cycle.
    stages
        The imbalance of stages, in the order of the pipeline.
    moves
        Plans one step away, the best first.
    limits
        What limits the plan, the tightest first.
    """

    prepared: Prepared
    schedule: Schedule
    ranking: Ranking | None
    after: Next | None
    stages: tuple[StageLoss, ...]
    moves: tuple[Sensitivity, ...]
    limits: tuple[Limit, ...]


def explained(prepared: Prepared, schedule: Schedule) -> Explanation:
    """Return why a plan is as it is; timing what comes next takes seconds."""
    objective = Objective(prepared.scenario.objective)
    moves = best_moves(schedule, objective, most=_ALL_MOVES)
    found = prepared.searched.found if prepared.searched else None
    ranked = ranking(found, most=MOST_SHOWN) if found else None
    limited = limits(
        prepared, schedule, moves, near_gain_cycles=_near_gain(prepared, schedule)
    )
    return Explanation(
        prepared=prepared,
        schedule=schedule,
        ranking=ranked,
        after=_after(found, ranked) if found and ranked else None,
        stages=_stages(prepared, schedule),
        moves=tuple(moves[:MOST_SHOWN]),
        limits=tuple(limited),
    )


def explanation_block(why: Explanation) -> dict[str, Any]:
    """Return an explanation for JSON."""
    schedule = why.schedule
    block: dict[str, Any] = {
        "strategy": str(why.prepared.plan.strategy),
        "sequences": why.prepared.plan.sequences,
        "latency_cycles": schedule.latency_cycles,
        "lower_bound_cycles": schedule.lower_bound_cycles,
        "breakdown_cycles": schedule.breakdown._asdict(),
        # Behind more sequences than stages, what comes on top.
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


def _near_gain(prepared: Prepared, schedule: Schedule) -> int | None:
    """Return what near chips save where none were sought, None if none may be."""
    scenario = prepared.scenario
    if scenario.placement != NAIVE or scenario.strategy.endswith(SUFFIX):
        return None
    if prepared.plan.strategy.data > 1:
        return None
    return best_placed(schedule).gain_cycles


def _after(found: SearchResult, ranked: Ranking) -> Next | None:
    """Return where the strategy after the best spends more."""
    if len(ranked.best) == 1:
        return None
    second = ranked.best[1]
    if not second.exact or second.sequences > 1:
        return None
    plan = plan_of(found, second)
    assert plan is not None
    spent = time_token(plan, found.schedule.topology).timeline.spent
    pairs = zip(spent, found.schedule.breakdown, strict=True)
    return Next(str(second.strategy), CycleBreakdown(*(a - b for a, b in pairs)))


def _stages(prepared: Prepared, schedule: Schedule) -> tuple[StageLoss, ...]:
    cycles = schedule.timeline.stage_cycles
    return tuple(
        StageLoss(stage.replica, stage.index, stage.layers, own, max(cycles) - own)
        for stage, own in zip(prepared.plan.stages, cycles, strict=True)
    )
