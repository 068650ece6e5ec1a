"""Explanation of a plan as text of 80 columns."""

from itertools import groupby

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from compiler.search.objective import Objective
from compiler.search.sensitivity import Sensitivity
from experiments.plan_report.explanation import MOST_SHOWN, Explanation
from experiments.plan_report.plan_table import certainty
from experiments.plan_report.ranking_text import order_note, ranking_report
from experiments.tables.text_tables import named_table, titled
from specs.units import US_PER_S

# Causes below this share would be shown as 0.0%.
_SHOWN_SHARE = 0.0005


def explanation_report(why: Explanation) -> RenderableType:
    """Return the report on a plan: ranking, stage imbalance, changes, and limits."""
    parts: list[RenderableType] = [_overview(why)]
    if why.ranking is not None:
        parts.append(ranking_report(why, why.ranking))
    parts += [_stages(why), _changes(why), _limits(why)]
    spaced: list[RenderableType] = []
    for part in parts:
        spaced += [part, Text()]
    return Group(*spaced[:-1])


def _overview(why: Explanation) -> Text:
    """Return the report on a plan's search, latency of a token by cause, and chips."""
    prepared, schedule = why.prepared, why.schedule
    hz, plan = prepared.machine.chip.clock_hz, prepared.plan
    lines = []
    if prepared.searched is not None:
        result = prepared.searched.found
        best = result.compiled[0].strategy
        order = order_note(why)
        lines.append(
            f"{best} is the best for {result.objective}{order}: {certainty(result)}."
        )
        lines += _next_best(why)
        lines.append(
            f"{result.candidates:,} strategies: {result.scored:,} scored by a bound, "
            f"{result.planned:,} cut into stages, {len(result.known):,} timed to "
            f"a cycle, {len(result.compiled):,} compiled, "
            f"{len(result.refused):,} without schedule, "
            f"in {prepared.searched.wall_s:.1f} s."
        )
        if best != plan.strategy:
            lines.append(f"On chips near each other {plan.strategy} is faster still.")
    else:
        lines.append(f"{plan.strategy} is as given; --strategy auto seeks the best.")
    if prepared.placed is not None:
        lines.append(f"Placement: {prepared.placed}.")
    cycles, spent = schedule.latency_cycles, schedule.breakdown
    shares = ", ".join(
        f"{cause} {each / spent.total:.1%}"
        for cause, each in spent._asdict().items()
        if each / spent.total >= _SHOWN_SHARE
    )
    waiting = schedule.program.turn_cycles
    if waiting:
        shares += f"; {waiting:,} cycles of it are waiting for a turn"
    lines.append(
        f"A {_iteration(why)} takes {cycles:,} cycles "
        f"({cycles / hz * US_PER_S:,.1f} us), at least "
        f"{schedule.lower_bound_cycles:,} under this plan: {shares}."
    )
    used, topology = plan.strategy.chips, prepared.topology
    idle = topology.chips - topology.active_chips
    spare = f", and {idle:,} are spare" if prepared.machine.spares else ""
    lines.append(f"It is on {used:,} of {topology.active_chips:,} chips{spare}.")
    return Text("\n".join(lines))


def _next_best(why: Explanation) -> list[str]:
    """Return the report on why the second plan takes more or fewer cycles."""
    if why.next_best is None:
        return []
    causes = [
        (name, each) for name, each in why.next_best.more._asdict().items() if each
    ]
    by_sign = {
        more: ", ".join(f"{abs(each):,} on {name}" for name, each in group)
        for more, group in groupby(
            sorted(causes, key=lambda cause: cause[1] < 0), lambda cause: cause[1] > 0
        )
    }
    spends = [
        f"{word} {by_sign[more]}"
        for more, word in ((True, "more:"), (False, "less:"))
        if more in by_sign
    ]
    if not spends:
        return []
    return [f"The next, {why.next_best.strategy}, spends cycles\n{'; '.join(spends)}."]


def _stages(why: Explanation) -> RenderableType:
    """Return the report on the plan's stages: cycles of waiting for the slowest."""
    stages, plan = why.stages, why.prepared.plan
    slowest = max(stages, key=lambda stage: stage.cycles)
    if len(stages) == 1:
        return Text("Stage imbalance: none, there is one stage.")
    replicas = plan.strategy.data > 1
    columns = ["stage", "layers", "cycles", "lost", "of slowest"]
    shown = Table(box=None, pad_edge=False)
    for name in [*(["replica"] if replicas else []), *columns]:
        shown.add_column(name, justify="left" if name == "layers" else "right")
    order = sorted(stages, key=lambda stage: -stage.lost_cycles)
    for stage in order[:MOST_SHOWN]:
        shown.add_row(
            *([str(stage.replica)] if replicas else []),
            str(stage.stage),
            stage.layers,
            f"{stage.cycles:,}",
            f"{stage.lost_cycles:,}",
            f"{stage.cycles / slowest.cycles:.0%}",
        )
    lost = sum(stage.lost_cycles for stage in stages)
    share = lost / (slowest.cycles * len(stages))
    rest = len(stages) - MOST_SHOWN
    more = f"{rest:,} more stages lose less; --json has all. " if rest > 0 else ""
    which = f"replica {slowest.replica}, " if replicas else ""
    note = (
        f"{more}{len(stages)} stages in step with the slowest ({which}stage "
        f"{slowest.stage}, {slowest.cycles:,} cycles) lose {lost:,} cycles "
        f"({share:.1%})."
    )
    if plan.sequences < plan.strategy.pipeline:
        note += (
            f" With {plan.sequences} in flight {plan.sequences} of "
            f"{plan.strategy.pipeline} are at work at a time."
        )
    title = "Stage imbalance: cycles that stages lose once all of them are at work"
    return titled(title, shown, note)


def _changes(why: Explanation) -> RenderableType:
    """Return the report on the best neighbouring plans, and the cycles each adds."""
    objective = why.prepared.scenario.objective
    token = _iteration(why)
    # Of a single sequence, machine cycles are those of its latency.
    shared = any(each.share_cycles != each.latency_cycles for each in why.moves)
    headings = ["latency", *(["each"] if shared else []), "chips", "move"]
    rows = [
        [
            _change(each.latency_cycles, each),
            *([_change(each.share_cycles, each)] if shared else []),
            f"{each.chips:+,}" if each.chips else "",
            each.name,
        ]
        for each in why.moves
    ]
    shown = named_table(headings, rows)
    notes = [f"latency: cycles of a {token}"]
    if shared:
        notes.append(f"each: of the machine for a {token}, of all sequences")
    if not all(each.compiled for each in why.moves):
        notes.append("~: by lower bounds, the others were compiled")
    title = f"The {len(why.moves)} best moves for {objective}, and what each adds"
    return titled(title, shown, "; ".join(notes) + ".")


def _iteration(why: Explanation) -> str:
    """Return the report's name of what passes a plan's pipeline at once."""
    if why.prepared.scenario.batch > 1:
        return f"batch of {why.prepared.scenario.batch}"
    return "token" if why.prepared.makes_tokens else "pass"


def _change(cycles: float, move: Sensitivity) -> str:
    """Return a change of cycles for the plan's report; a tilde marks bounds."""
    return f"{'' if move.compiled else '~'}{round(cycles):+,}"


def _limits(why: Explanation) -> RenderableType:
    """Return the report on the limits of the plan with their costs."""
    objective = Objective(why.prepared.scenario.objective)
    of = "the machine for each" if objective.fills else "a"
    shown = Table(box=None, pad_edge=False)
    shown.add_column("limit", no_wrap=True)
    shown.add_column("cycles", justify="right", no_wrap=True)
    shown.add_column("now, and what would relax it", max_width=58)
    for limit in why.limits:
        text = "; ".join(filter(None, (limit.now, limit.relaxed)))
        shown.add_row(limit.name, f"{limit.cycles:,}", text)
    title = f"What limits it, the tightest first, in cycles of {of} {_iteration(why)}"
    return titled(title, shown)
