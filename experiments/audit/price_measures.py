"""Measurements of prices and power that follow from published readings alone."""

from experiments.audit.machine_measures import chips_planned
from experiments.audit.measure import Measure
from experiments.cost.cost_of_load import purchase_usd
from specs.cost import load_costs
from specs.formats import Format
from specs.machine import load_machine
from specs.scenario import Scenario

_CARDS = 70


def _million_usd(cards: int, end: int) -> float | None:
    """Return the price of cards in M$, by the cheapest or the dearest reading."""
    price = purchase_usd(load_costs(), "groqrack", cards)
    return None if price is None else price[end] / 1e6


def _deployed() -> int:
    """Return the chips of the deployment."""
    return Scenario().chips


def _mistral() -> int:
    """Return the chips of the smallest plan of Mistral-7B in FP16."""
    return chips_planned("mistral-7b", Format.FP16)


def _kw(watts: float | None) -> float | None:
    """Return the power of the cards of a claim in kW."""
    return None if watts is None else _CARDS * watts / 1e3


def _lpx_throughput_per_mw() -> float | None:
    """Return nothing: it takes the power of an LP30, which is not published."""
    power = load_machine("lpx").power
    costs = load_costs().range_of("hardware.lpx.device_w")
    assert power.chip_average_w is None
    assert costs is None
    return None


PRICE_MEASURES: dict[str, Measure] = {
    "cards_576_cheapest": Measure(
        "576 cards, cheapest reading", lambda: _million_usd(_deployed(), 0)
    ),
    "cards_576_dearest": Measure(
        "576 cards, dearest reading", lambda: _million_usd(_deployed(), 1)
    ),
    "cards_fp16_dearest": Measure(
        "smallest plan in FP16, dearest reading",
        lambda: _million_usd(chips_planned("llama-2-70b", Format.FP16), 1),
    ),
    "cards_mistral_cheapest": Measure(
        "smallest plan, cheapest reading", lambda: _million_usd(_mistral(), 0)
    ),
    "cards_mistral_dearest": Measure(
        "smallest plan, dearest reading", lambda: _million_usd(_mistral(), 1)
    ),
    "cards_70_average": Measure(
        "average power of a chip", lambda: _kw(load_machine().power.chip_average_w)
    ),
    "cards_70_tdp": Measure(
        "thermal design power of a chip", lambda: _kw(load_machine().power.chip_tdp_w)
    ),
    "lpx_throughput_per_mw": Measure(
        "power of LP30, its hosts and rack", _lpx_throughput_per_mw
    ),
    "customer_saving": Measure("what was paid before", lambda: None),
}
