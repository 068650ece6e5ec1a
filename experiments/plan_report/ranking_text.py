"""Text table of the best strategies of a search, ordered by its objective."""

from rich.console import RenderableType
from rich.text import Text

from compiler.search.objective import Objective
from compiler.search.ranking import Ranked, Ranking
from experiments.plan_report.explanation import Explanation
from experiments.tables.text_tables import named_table, titled
from specs.units import US_PER_S

# Columns of a strategy by objective, the value that the objective counts first.
_MERITS = {
    Objective.LATENCY: ("latency us", "chips"),
    Objective.THROUGHPUT: ("tokens/s", "latency us", "chips", "in flight"),
    Objective.CHIPS: ("chips", "latency us"),
    Objective.ENERGY: ("J each", "tokens/s", "chips", "in flight"),
}
# Where no power is published, all chips are taken to draw the same.
_UNPUBLISHED = ("chip us each", "tokens/s", "chips", "in flight")


def ranking_report(why: Explanation, ranked: Ranking) -> RenderableType:
    """Return the report on a plan's ranking, the best strategies as a text table.

    Parameters
    ----------
    why
        The explanation, for the units of the plan.
    ranked
        The ranking of its search.
    """
    objective = Objective(why.prepared.scenario.objective)
    best = ranked.best[0].cost.first
    columns, rows = _MERITS[objective], []
    unpublished = why.prepared.machine.power.chip_average_w is None
    if objective is Objective.ENERGY and unpublished:
        columns = _UNPUBLISHED
    for each in ranked.best:
        worse = worse_by(objective, each.cost.first, best)
        merits = _merits(why, each)
        first, *others = (merits[name] for name in columns)
        rows.append(
            [
                first if each.exact else f"~{first}",
                f"{worse:.2%}" if worse else "",
                *others,
                str(each.strategy),
            ]
        )
    first, *others = columns
    headings = [first, "worse by", *others, "strategy"]
    if not why.prepared.makes_tokens:
        headings = [heading.replace("tokens", "passes") for heading in headings]
    shown = named_table(headings, rows)
    title = f"Ranking{order_note(why)}"
    return titled(title, shown, *_footnotes(objective, ranked))


def worse_by(objective: Objective, cost: float, best: float) -> float:
    """Return by what share of the best a cost is worse, as a plan's report shows it.

    >>> worse_by(Objective.LATENCY, 250.0, 200.0)
    0.25

    With a quarter more cycles of the machine for each token, tokens/s are a fifth less.

    >>> round(worse_by(Objective.THROUGHPUT, 250.0, 200.0), 3)
    0.2
    """
    return 1 - best / cost if objective is Objective.THROUGHPUT else cost / best - 1


def _merits(why: Explanation, each: Ranked) -> dict[str, str]:
    """Return the values of a strategy in a plan's report by column, as text."""
    prepared = why.prepared
    hz, batch = prepared.machine.chip.clock_hz, prepared.scenario.batch
    chip_us = each.strategy.chips * each.share_cycles / batch / hz * US_PER_S
    return {
        "latency us": f"{each.latency_cycles / hz * US_PER_S:,.1f}",
        "tokens/s": f"{hz * batch / each.share_cycles:,.0f}",
        "chip us each": f"{chip_us:,.1f}",
        "J each": f"{each.cost.first:,.3g}",
        "chips": f"{each.strategy.chips:,}",
        "in flight": f"{each.sequences:,}",
    }


def _footnotes(objective: Objective, ranked: Ranking) -> list[Text]:
    """Return the notes below a plan's report: bounds, and strategies not shown."""
    notes = []
    if not all(each.exact for each in ranked.best):
        notes.append("~ at best: a bound, not compiled.")
    if ranked.others_cost is None:
        notes.append("No other strategy fits.")
    else:
        best = ranked.best[0].cost.first
        least_worse = worse_by(objective, ranked.others_cost, best)
        notes.append(f"Every other one is at least {least_worse:.2%} worse.")
    return [Text(" ".join(notes))]


def order_note(why: Explanation) -> str:
    """Return the note of a plan's report on the searched chips, if placed on others."""
    return "" if why.prepared.placed is None else " on the chips in order"
