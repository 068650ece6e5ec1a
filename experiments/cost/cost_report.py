"""Report of a cost: tables that a person reads in 80 columns, no price at the top."""

from rich.console import Group
from rich.table import Table

from experiments.cost.cost_of_load import Cost
from experiments.cost.costing import Costing, prices_used
from experiments.cost.load import Load
from specs.cost import Range

NOT_COMPUTED = "not computed"
_ENERGY = {
    "output_token_j": "joules per token out, chips",
    "output_tokens_per_j": "tokens out per joule, chips",
    "tokens_per_j": "tokens in and out per joule, chips",
    "output_tokens_per_s_per_mw": "tokens/s out per MW, chips",
    "facility_output_tokens_per_j": "tokens out per joule, building",
}
_SHARED = {
    "usd_per_hour": "$ per hour",
    "input_usd_per_m_tokens": "$ per M tokens in",
    "output_usd_per_m_tokens": "$ per M tokens out",
    "usd_per_user_hour": "$ per user-hour",
}


def cost_report(costed: Costing) -> Group:
    """Return the report of a costed."""
    parts: list[Table | str] = [_facts(costed), "", _energy(costed), ""]
    parts += [_money(costed), "", _list_prices(costed), "", _origins(costed)]
    missing = costed.costs[0].missing
    if missing:
        parts += ["", f"no public figure, so {NOT_COMPUTED}: {', '.join(missing)}"]
    return Group(*parts)


def _facts(costed: Costing) -> Table:
    """Return what is served, and the loads that are costed."""
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="dim", min_width=14)
    table.add_column()
    first = costed.asked.loads[0]
    table.add_row("served", f"{first.model} on {first.chips} chips, {first.strategy}")
    if costed.asked.saturation is not None:
        table.add_row("saturation", costed.asked.saturation)
    for load in costed.asked.loads:
        table.add_row(load.kind, _load_text(load))
    return table


def _load_text(load: Load) -> str:
    """Return the tokens, users and stage time of a load."""
    text = (
        f"{load.input_tokens_per_s:,.0f} tokens/s in, "
        f"{load.output_tokens_per_s:,.0f} out, {load.users:,.1f} users"
    )
    if load.input_share is None:
        return f"{text}; prompts run elsewhere"
    if not load.input_tokens_per_s:
        return f"{load.output_tokens_per_s:,.0f} tokens/s out, {load.users:,.1f} users"
    return f"{text}; {load.input_share:.0%} of the stage time for prompts"


def _table(costed: Costing, title: str) -> Table:
    """Return a table with a column of ranges for each load."""
    table = Table(box=None, pad_edge=False)
    table.add_column(title, min_width=34)
    for load in costed.asked.loads:
        table.add_column(load.kind, justify="right", min_width=18)
    return table


def _energy(costed: Costing) -> Table:
    """Return power and energy of the loads."""
    table = _table(costed, "energy")
    table.add_row(
        "kW of chips and optics",
        *(shown(cost.device_power_w, 1e-3) for cost in costed.costs),
    )
    table.add_row(
        "kW of the building", *(shown(cost.power_w, 1e-3) for cost in costed.costs)
    )
    for name, text in _ENERGY.items():
        table.add_row(text, *(shown(getattr(cost, name)) for cost in costed.costs))
    return table


def _money(costed: Costing) -> Table:
    """Return the cost of the loads, by part and shared out."""
    table = _table(costed, "cost")
    for part in costed.costs[0].parts_usd_per_hour:
        table.add_row(
            f"{part}, $ per hour",
            *(shown(cost.parts_usd_per_hour[part]) for cost in costed.costs),
        )
    for which, words in (("total", "all parts"), ("known", "known parts")):
        for name, text in _SHARED.items():
            table.add_row(
                f"{words}, {text}",
                *(_shared(cost, which, name) for cost in costed.costs),
            )
    return table


def _shared(cost: Cost, which: str, name: str) -> str:
    """Return a shared value of a cost as text; a dash where nothing shares it."""
    shared = cost.total if which == "total" else cost.known
    value: Range | None = getattr(shared, name)
    if value is None and shared.usd_per_hour is not None:
        return "-"
    return shown(value)


def _list_prices(costed: Costing) -> Table:
    """Return what APIs charge."""
    table = Table(box=None, pad_edge=False)
    table.add_column("charged, $ per M tokens", min_width=34)
    for heading in ("in", "out", "date"):
        table.add_column(heading, justify="right", min_width=8)
    if not costed.list_prices:
        table.add_row("no list price of its family and size")
    for each in costed.list_prices:
        table.add_row(
            f"{each.provider} {each.model}",
            f"{each.input_usd:.2f}",
            f"{each.output_usd:.2f}",
            each.date,
        )
    return table


def _origins(costed: Costing) -> Table:
    """Return the prices that were used, with their sources and dates."""
    table = Table(box=None, pad_edge=False)
    for heading in ("from", "range", "source, date"):
        table.add_column(heading)
    for path, readings in prices_used(costed).items():
        said = ", ".join(
            dict.fromkeys(f"{each.source} {each.date}" for each in readings)
        )
        name = path.removeprefix(f"hardware.{costed.hardware}.")
        table.add_row(name.removeprefix("facility."), shown(_range(costed, path)), said)
    return table


def _range(costed: Costing, path: str) -> Range | None:
    """Return the range of a price."""
    return costed.prices.range_of(path)


def shown(value: Range | None, factor: float = 1.0) -> str:
    """Return a range as text, three digits of each end."""
    if value is None:
        return NOT_COMPUTED
    low, high = (_digits(end * factor) for end in value)
    return low if low == high else f"{low}..{high}"


def _digits(number: float) -> str:
    """Return a number with three significant digits, and no exponent.

    >>> [_digits(number) for number in (0, 0.00123456, 1.5, 123456.0)]
    ['0', '0.00123', '1.5', '123,000']
    """
    if not number:
        return "0"
    rounded = float(f"{number:.3g}")
    if rounded >= 100:  # noqa: PLR2004
        return f"{rounded:,.0f}"
    return f"{rounded:.12f}".rstrip("0").rstrip(".")
