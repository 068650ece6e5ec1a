"""Equal servers: GPU servers that draw or cost as much as so many chips."""

from experiments.cost.cost_of_load import purchase_usd
from specs.cost import CostSpec
from specs.devices import load_device
from specs.machine import load_machine
from specs.step_law import StepLaw

GPU = "h100"


def server_step_law() -> StepLaw:
    """Return the step law of a server of GPUs, which says how many it has."""
    law = load_device(GPU).step_law
    assert law is not None
    return law


def server_tdp_w() -> float:
    """Return the thermal design power of the GPUs of a server, in W."""
    tdp_w = load_device(GPU).tdp_w
    assert tdp_w is not None
    return server_step_law().devices * tdp_w


def equal_power_servers(chips: int) -> int:
    """Return the servers that draw the power of so many chips."""
    tdp_w = load_machine("groqrack").power.chip_tdp_w
    assert tdp_w is not None
    return round(chips * tdp_w / server_tdp_w())


def equal_price_servers(chips: int, prices: CostSpec) -> tuple[int, int]:
    """Return the servers that cost as much as so many cards.

    By the cheapest reading of the price of a card, and by the dearest; one server at
    least. Hosts and racks of the cards are not counted, since nobody has published
    their prices.
    """
    cards = purchase_usd(prices, "groqrack", chips)
    server = purchase_usd(prices, GPU, server_step_law().devices)
    assert cards is not None
    assert server is not None
    low, high = cards.low / server.high, cards.high / server.low
    return max(1, round(low)), max(1, round(high))
