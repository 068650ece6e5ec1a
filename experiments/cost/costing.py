"""Costing: the loads of a machine with their costs, as one value and as JSON."""

from typing import Any, NamedTuple

from experiments.cost.cost_of_load import Cost, cost_of
from experiments.cost.load import Load, frame_load, pipeline_load, traffic_load
from experiments.run.preparation import Prepared
from experiments.run.version import VERSION
from experiments.service.traffic_run import TrafficRun
from specs.cost import CostSpec, ListPrice, Range, Reading

SCHEMA = "groqrack-fabric/cost/1"


class Loads(NamedTuple):
    """Loads of a machine, whatever they cost.

    Attributes
    ----------
    inputs
        What was asked, as JSON.
    loads
        The load that was asked for, and others to compare it with.
    saturation
        Whether the fleet keeps up with the traffic; None without traffic.
    """

    inputs: dict[str, Any]
    loads: tuple[Load, ...]
    saturation: str | None = None


class Costing(NamedTuple):
    """Loads of a machine and their costs.

    Attributes
    ----------
    asked
        The loads.
    costs
        The cost of each.
    prices
        What the costs are computed from.
    hardware
        Name of the hardware in it; None if it has none for the machine.
    list_prices
        What APIs charge for the model.
    """

    asked: Loads
    costs: tuple[Cost, ...]
    prices: CostSpec
    hardware: str | None
    list_prices: tuple[ListPrice, ...]


def traffic_loads(run: TrafficRun) -> Loads:
    """Return the load of traffic that was served, and full frames to compare it with.

    Raises
    ------
    SpecError
        If no request was completed.
    """
    full = frame_load(run.prepared)
    loads = (traffic_load(run), *([] if full is None else [full]))
    inputs = {"traffic": run.file.model_dump(mode="json")}
    return Loads(inputs, loads, run.summary["saturation"])


def pipeline_loads(prepared: Prepared) -> Loads:
    """Return the load of a full pipeline without prompts.

    Parameters
    ----------
    prepared
        A model planned for its sequences in flight.

    Raises
    ------
    RackError
        If the model makes no tokens, or no schedule holds.
    """
    inputs = {"scenario": prepared.scenario.model_dump(mode="json")}
    return Loads(inputs, (pipeline_load(prepared),))


def costing(asked: Loads, prices: CostSpec, hardware: str | None = None) -> Costing:
    """Return the costs of loads.

    Parameters
    ----------
    asked
        The loads.
    prices
        Prices and power.
    hardware
        Name of the hardware in `prices`; that of the machine if None.

    Raises
    ------
    SpecError
        If there is no such hardware.
    """
    first = asked.loads[0]
    return Costing(
        asked=asked,
        costs=tuple(cost_of(load, prices, hardware) for load in asked.loads),
        prices=prices,
        hardware=hardware or prices.hardware_of(first.machine),
        list_prices=matching_prices(prices, first.model),
    )


def matching_prices(prices: CostSpec, model: str) -> tuple[ListPrice, ...]:
    """Return what APIs charge for models of the same family and size.

    Llama-2-70B has no list price left; those of its successors stand in for it.
    """
    return tuple(
        each for each in prices.list_prices if _like(each.model) == _like(model)
    )


def _like(model: str) -> tuple[str, str]:
    """Return the family and the size in a model's name.

    >>> _like("llama-3.3-70b"), _like("llama-2-70b"), _like("kimi-k2")
    (('llama', '70b'), ('llama', '70b'), ('kimi', 'k2'))
    """
    first, *_, last = f"{model}-".removesuffix("-").split("-") * 2
    return first, last


def prices_used(costed: Costing) -> dict[str, tuple[Reading, ...]]:
    """Return the readings that the costs rest on, by dotted path."""
    wanted = ("facility.", f"hardware.{costed.hardware}.")
    return {
        path: readings
        for path, readings in costed.prices.readings().items()
        if path.startswith(wanted) and readings
    }


def cost_document(costed: Costing) -> dict[str, Any]:
    """Return what ``groqrack cost --json`` prints."""
    used = prices_used(costed)
    named = {each.source for readings in used.values() for each in readings}
    named |= {each.source for each in costed.list_prices}
    return {
        "schema": SCHEMA,
        "inputs": costed.asked.inputs,
        "saturation": costed.asked.saturation,
        "hardware": costed.hardware,
        "loads": [
            {**load._asdict(), **_cost_block(cost)}
            for load, cost in zip(costed.asked.loads, costed.costs, strict=True)
        ],
        "missing": list(costed.costs[0].missing),
        "list_prices": [each.model_dump() for each in costed.list_prices],
        "prices": {
            path: [each.model_dump() for each in readings]
            for path, readings in used.items()
        },
        "sources": {
            key: each.model_dump()
            for key, each in costed.prices.sources.items()
            if key in named
        },
        "run": {"version": VERSION},
    }


def _cost_block(cost: Cost) -> dict[str, Any]:
    """Return a cost as JSON: ranges are objects, what is not computed is null."""
    return {
        "parts_usd_per_hour": {
            name.replace(" ", "_"): _json(part)
            for name, part in cost.parts_usd_per_hour.items()
        },
        "all_parts": {name: _json(each) for name, each in cost.total._asdict().items()},
        "known_parts": {
            name: _json(each) for name, each in cost.known._asdict().items()
        },
        **{name: _json(getattr(cost, name)) for name in ENERGY},
    }


ENERGY = (
    "device_power_w",
    "power_w",
    "output_token_j",
    "output_tokens_per_j",
    "tokens_per_j",
    "output_tokens_per_s_per_mw",
    "facility_output_tokens_per_j",
)


def _json(value: Range | None) -> dict[str, float] | None:
    """Return a range as a JSON object."""
    return None if value is None else value._asdict()
