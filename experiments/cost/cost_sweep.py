"""Cost sweep: a cost for each point of a request, as rows and as a table."""

from collections.abc import Iterator
from typing import Any

from rich.console import Group

from experiments.cost.cost_of_load import Shared
from experiments.cost.cost_report import shown
from experiments.cost.cost_request import CostRequest, loads_of
from experiments.cost.costing import ENERGY, Costing, Loads, costing
from experiments.tables.columns import TableRow
from experiments.tables.text_tables import swept_table
from specs.cost import Range
from specs.errors import RackError

_SHOWN = {
    "load.output_tokens_per_s": "tokens/s out",
    "known_parts.output_usd_per_m_tokens": "$/M out, known parts",
    "output_tokens_per_j": "tokens/J out",
}


def cost_points(
    request: CostRequest, hardware: str | None = None
) -> Iterator[tuple[dict[str, Any], Costing | RackError]]:
    """Yield the swept values and the costing of each point, or why it was refused.

    Points that differ in prices alone share what is served.

    Parameters
    ----------
    request
        What is asked.
    hardware
        Name of the hardware in its prices; that of the machine if None.

    Raises
    ------
    SpecError
        If an axis is unknown or a value cannot be meant.
    """
    served: dict[str, Loads | RackError] = {}
    for point in request.points():
        key = point.content.model_dump_json()
        if key not in served:
            # Other points need not keep what was compiled for earlier ones.
            served = {key: _loads(point.content)}
        loads = served[key]
        if isinstance(loads, RackError):
            yield point.swept, loads
        else:
            yield point.swept, costing(loads, point.prices, hardware)


def _loads(content: Any) -> Loads | RackError:
    """Return the loads of a point, or why it was refused."""
    try:
        return loads_of(content)
    except RackError as error:
        return error


def cost_row(swept: dict[str, Any], costed: Costing | RackError) -> TableRow:
    """Return a point of a cost sweep as a row of a table.

    Ranges take two columns, ``_low`` and ``_high``; what is not computed is empty.
    """
    if isinstance(costed, RackError):
        return {**swept, "feasible": False, "reason": str(costed)}
    load, cost = costed.asked.loads[0], costed.costs[0]
    ranges: dict[str, Range | None] = {
        f"usd_per_hour.{name.replace(' ', '_')}": part
        for name, part in cost.parts_usd_per_hour.items()
    }
    for which, shared in (("all_parts", cost.total), ("known_parts", cost.known)):
        assert isinstance(shared, Shared)
        ranges |= {f"{which}.{name}": each for name, each in shared._asdict().items()}
    ranges |= {name: getattr(cost, name) for name in ENERGY}
    return {
        **swept,
        **{f"load.{name}": value for name, value in load._asdict().items()},
        "load.saturation": costed.asked.saturation,
        **{
            f"{name}_{end}": None if value is None else getattr(value, end)
            for name, value in ranges.items()
            for end in Range._fields
        },
        "missing": " ".join(cost.missing),
        "feasible": True,
        "reason": "",
    }


def sweep_table(rows: list[TableRow], names: list[str]) -> Group:
    """Return the table of a cost sweep that the command prints, with a first refusal.

    Parameters
    ----------
    rows
        Rows as `cost_row` returns them.
    names
        The swept parameters.
    """
    return swept_table(rows, names, _SHOWN, _cell)


def _cell(row: TableRow, name: str) -> str:
    """Return a value of a cost sweep's row as text; a dash if it was refused."""
    if not row["feasible"]:
        return "-"
    if name in row:
        return f"{row[name]:,.0f}"
    low, high = (row[f"{name}_{end}"] for end in Range._fields)
    return shown(None if low is None else Range(low, high))
