"""The explanation of a plan for a person, in 80 columns."""

from itertools import groupby

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from compiler.found import Objective
from compiler.runners_up import Ranked, Ranking
from compiler.weighing import Weighed
from experiments.explanation import MOST_SHOWN, Explanation
from experiments.planning import certainty

_US_PER_S = 1_000_000
_MS_PER_S = 1_000
# A name stands last in its row, where most of a line of 80 columns is left for it.
_MOST_NAME = 44
# Causes that would be shown as 0.0%.
_SHOWN_SHARE = 0.0005
# What is shown of a strategy, that which is sought first.
_MERITS = {
    Objective.LATENCY: ("latency us", "chips"),
    Objective.THROUGHPUT: ("tokens/s", "latency us", "chips", "in flight"),
    Objective.CHIPS: ("chips", "latency us"),
    Objective.ENERGY: ("chip ms each", "tokens/s", "chips", "in flight"),
}
_LEFT = ("strategy", "layers", "limit", "move")


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


def broken(name: str, room: int = _MOST_NAME) -> str:
    r"""Return a name in lines of no more than `room` characters, broken at commas.

    >>> broken("tensor=8,pipeline=36,expert=4,routing=balanced", 30)
    'tensor=8,pipeline=36,expert=4,\n  routing=balanced'
    """
    lines, line = [], ""
    for piece in name.split(","):
        longer = f"{line},{piece}" if line.strip() else line + piece
        if len(longer) < room or not line.strip():
            line = longer
            continue
        lines.append(f"{line},")
        line = f"  {piece}"
    return "\n".join([*lines, line])


def table(*columns: str) -> Table:
    """Return a table whose last column is as wide as what it holds."""
    made = Table(box=None, pad_edge=False)
    for column in columns:
        left = column in _LEFT
        made.add_column(column, justify="left" if left else "right", no_wrap=True)
    return made


def titled(title: str, *parts: RenderableType | str) -> RenderableType:
    """Return parts under a title, which may be wider than a table."""
    return Group(Text(title, style="italic"), *parts)


def _why(why: Explanation) -> Text:
    """Return what the plan takes, and what makes it the best."""
    prepared, schedule = why.prepared, why.schedule
    iteration = "token" if prepared.makes_tokens else "pass"
    hz, plan = prepared.machine.chip.clock_hz, prepared.plan
    said = []
    if prepared.searched is not None:
        found = prepared.searched.found
        best = found.compiled[0].strategy
        said.append(f"{best} is the best for {found.objective}: {certainty(found)}.")
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
    said.append(
        f"A {iteration} takes {cycles:,} cycles ({cycles / hz * _US_PER_S:,.1f} us), "
        f"at least {schedule.lower_bound_cycles:,} under this plan: {shares}."
    )
    used, there = plan.strategy.chips, prepared.topology.active_chips
    said.append(f"{used:,} of {there:,} chips are used.")
    return Text("\n".join(said))


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
    prepared = why.prepared
    objective = Objective(prepared.scenario.objective)
    best = ranked.best[0].cost.first
    columns = _MERITS[objective]
    headings = [columns[0], "worse by", *columns[1:], "strategy"]
    shown = table(*headings)
    for each in ranked.best:
        worse = worse_by(objective, each.cost.first, best)
        merits = _merits(why, each)
        first, *others = (merits[name] for name in columns)
        shown.add_row(
            first if each.exact else f"~{first}",
            f"{worse:.2%}" if worse else "",
            *others,
            broken(str(each.strategy)),
        )
    return titled(
        "The best, and what comes next", shown, *_footnotes(objective, ranked)
    )


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
    chip_ms = each.strategy.chips * each.share_cycles / batch / hz * _MS_PER_S
    return {
        "latency us": f"{each.latency_cycles / hz * _US_PER_S:,.1f}",
        "tokens/s": f"{hz * batch / each.share_cycles:,.0f}",
        "chip ms each": f"{chip_ms:,.2f}",
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
    shown = table(*(["replica"] if replicas else []), *columns)
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
    token = "token" if why.prepared.makes_tokens else "pass"
    # A single sequence has the machine to itself.
    shared = any(each.share_cycles != each.latency_cycles for each in why.moves)
    shown = table("latency", *([f"per {token}"] if shared else []), "chips", "move")
    for each in why.moves:
        shown.add_row(
            _change(each.latency_cycles, each),
            *([_change(each.share_cycles, each)] if shared else []),
            f"{each.chips:+,}" if each.chips else "",
            broken(each.name),
        )
    notes = [f"latency: cycles of a {token}"]
    if shared:
        notes.append(f"per {token}: of the machine for each, of all sequences")
    if not all(each.compiled for each in why.moves):
        notes.append("~: by lower bounds, the others were compiled")
    title = f"The {len(why.moves)} best moves for {objective}, and what each adds"
    return titled(title, shown, "; ".join(notes) + ".")


def _change(cycles: float, move: Weighed) -> str:
    return f"{'' if move.compiled else '~'}{round(cycles):+,}"


def _limits(why: Explanation) -> RenderableType:
    objective = Objective(why.prepared.scenario.objective)
    iteration = "token" if why.prepared.makes_tokens else "pass"
    of = "the machine for each" if objective.fills else "a"
    shown = table("limit", "cycles")
    shown.add_column("now, and what would relax it", max_width=58)
    for limit in why.limits:
        text = "; ".join(filter(None, (limit.now, limit.relaxed)))
        shown.add_row(limit.name, f"{limit.cycles:,}", text)
    title = f"What limits it, the tightest first, in cycles of {of} {iteration}"
    return titled(title, shown)
