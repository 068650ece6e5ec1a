"""The explanation of a plan for a person, in 80 columns."""

from itertools import groupby

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from compiler.search.objective import Objective
from compiler.search.ranking import Ranked, Ranking
from compiler.search.sensitivity import Sensitivity
from experiments.plan_report.explanation import MOST_SHOWN, Explanation
from experiments.plan_report.plan_table import certainty
from experiments.tables.text_tables import named_table, titled
from specs.units import US_PER_S

# Causes that would be shown as 0.0%.
_SHOWN_SHARE = 0.0005
# What is shown of a strategy, that which is sought first.
_MERITS = {
    Objective.LATENCY: ("latency us", "chips"),
    Objective.THROUGHPUT: ("tokens/s", "latency us", "chips", "in flight"),
    Objective.CHIPS: ("chips", "latency us"),
    Objective.ENERGY: ("chip us each", "tokens/s", "chips", "in flight"),
}


def explanation_report(why: Explanation) -> RenderableType:
    """Return why this plan, the next best, the imbalance of stages, and the limits."""
    parts: list[RenderableType] = [_why(why)]
    if why.ranking is not None:
        parts.append(_ranking(why, why.ranking))
    parts += [_stages(why), _moves(why), _limits(why)]
    spaced: list[RenderableType] = []
    for part in parts:
        spaced += [part, Text()]
    return Group(*spaced[:-1])


def _why(why: Explanation) -> Text:
    """Return what the plan takes, and what makes it the best."""
    prepared, schedule = why.prepared, why.schedule
    hz, plan = prepared.machine.chip.clock_hz, prepared.plan
    said = []
    if prepared.searched is not None:
        found = prepared.searched.found
        best = found.compiled[0].strategy
        order = _in_order(why)
        said.append(
            f"{best} is the best for {found.objective}{order}: {certainty(found)}."
        )
        said += _compared(why)
        said.append(
            f"{found.candidates:,} strategies: {found.scored:,} scored by a bound, "
            f"{found.planned:,} cut into stages, {len(found.known):,} timed to a "
            f"cycle, {len(found.compiled):,} compiled, {len(found.refused):,} without "
            f"schedule, in {prepared.searched.wall_s:.1f} s."
        )
        if best != plan.strategy:
            said.append(f"On chips near each other {plan.strategy} is faster still.")
    else:
        said.append(f"{plan.strategy} is as given; --strategy auto seeks the best.")
    if prepared.placed is not None:
        said.append(f"Placement: {prepared.placed}.")
    cycles, spent = schedule.latency_cycles, schedule.breakdown
    shares = ", ".join(
        f"{cause} {each / spent.total:.1%}"
        for cause, each in spent._asdict().items()
        if each / spent.total >= _SHOWN_SHARE
    )
    turn = schedule.program.turn_cycles
    if turn:
        shares += f"; {turn:,} cycles of it are waiting for a turn"
    said.append(
        f"A {_iteration(why)} takes {cycles:,} cycles "
        f"({cycles / hz * US_PER_S:,.1f} us), at least "
        f"{schedule.lower_bound_cycles:,} under this plan: {shares}."
    )
    used, topology = plan.strategy.chips, prepared.topology
    idle = topology.chips - topology.active_chips
    spare = f", and {idle:,} are spare" if prepared.machine.spares else ""
    said.append(f"It is on {used:,} of {topology.active_chips:,} chips{spare}.")
    return Text("\n".join(said))


def _in_order(why: Explanation) -> str:
    """Return on which chips a search was done, if the plan is on others."""
    return "" if why.prepared.placed is None else " on the chips in order"


def _compared(why: Explanation) -> list[str]:
    """Return where the strategy after the best is worse, and where it is better."""
    if why.after is None:
        return []
    causes = [(name, each) for name, each in why.after.more._asdict().items() if each]
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
    return [f"The next, {why.after.strategy}, spends cycles\n{'; '.join(spends)}."]


def _ranking(why: Explanation, ranked: Ranking) -> RenderableType:
    """Return the best strategies with what is sought first."""
    objective = Objective(why.prepared.scenario.objective)
    best = ranked.best[0].cost.first
    rows = []
    for each in ranked.best:
        worse = worse_by(objective, each.cost.first, best)
        merits = _merits(why, each)
        first, *others = (merits[name] for name in _MERITS[objective])
        rows.append(
            [
                first if each.exact else f"~{first}",
                f"{worse:.2%}" if worse else "",
                *others,
                str(each.strategy),
            ]
        )
    first, *others = _MERITS[objective]
    headings = [first, "worse by", *others, "strategy"]
    if not why.prepared.makes_tokens:
        headings = [heading.replace("tokens", "passes") for heading in headings]
    shown = named_table(headings, rows)
    title = f"The best{_in_order(why)}, and what comes next"
    return titled(title, shown, *_footnotes(objective, ranked))


def worse_by(objective: Objective, cost: float, best: float) -> float:
    """Return by what part of the best a cost is worse, in what is shown of it.

    >>> worse_by(Objective.LATENCY, 250.0, 200.0)
    0.25

    A quarter more cycles of the machine for each token are a fifth fewer tokens.

    >>> round(worse_by(Objective.THROUGHPUT, 250.0, 200.0), 3)
    0.2
    """
    return 1 - best / cost if objective is Objective.THROUGHPUT else cost / best - 1


def _merits(why: Explanation, each: Ranked) -> dict[str, str]:
    """Return what a strategy is judged by."""
    prepared = why.prepared
    hz, batch = prepared.machine.chip.clock_hz, prepared.scenario.batch
    chip_us = each.strategy.chips * each.share_cycles / batch / hz * US_PER_S
    return {
        "latency us": f"{each.latency_cycles / hz * US_PER_S:,.1f}",
        "tokens/s": f"{hz * batch / each.share_cycles:,.0f}",
        "chip us each": f"{chip_us:,.1f}",
        "chips": f"{each.strategy.chips:,}",
        "in flight": f"{each.sequences:,}",
    }


def _footnotes(objective: Objective, ranked: Ranking) -> list[Text]:
    """Return what is true of all that is not shown."""
    notes = []
    if not all(each.exact for each in ranked.best):
        notes.append("~ at best: a bound, not compiled.")
    if ranked.others_cost is None:
        notes.append("No other strategy fits.")
    else:
        best = ranked.best[0].cost.first
        behind = worse_by(objective, ranked.others_cost, best)
        notes.append(f"Every other one is at least {behind:.2%} worse.")
    return [Text(" ".join(notes))]


def _stages(why: Explanation) -> RenderableType:
    """Return what each stage waits for the slowest, once all are at work."""
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
    said = (
        f"{more}{len(stages)} stages in step with the slowest ({which}stage "
        f"{slowest.stage}, {slowest.cycles:,} cycles) lose {lost:,} cycles "
        f"({share:.1%})."
    )
    if plan.sequences < plan.strategy.pipeline:
        said += (
            f" With {plan.sequences} in flight {plan.sequences} of "
            f"{plan.strategy.pipeline} are at work at a time."
        )
    title = "Stage imbalance: cycles that stages lose once all of them are at work"
    return titled(title, shown, said)


def _moves(why: Explanation) -> RenderableType:
    """Return the ten best small changes, and what each does to a token."""
    objective = why.prepared.scenario.objective
    token = _iteration(why)
    # A single sequence has the machine to itself.
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
    """Return what passes the pipeline at once: tokens of a batch go together."""
    if why.prepared.scenario.batch > 1:
        return f"batch of {why.prepared.scenario.batch}"
    return "token" if why.prepared.makes_tokens else "pass"


def _change(cycles: float, move: Sensitivity) -> str:
    return f"{'' if move.compiled else '~'}{round(cycles):+,}"


def _limits(why: Explanation) -> RenderableType:
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
