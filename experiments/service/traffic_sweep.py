"""Traffic sweep: a row for each point of a traffic file with several values of keys."""

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Group

from experiments.service.fleet_of import PreparedFleet, prepare_fleet
from experiments.service.frame_plan import best_frame
from experiments.service.traffic_points import steps, with_keys
from experiments.service.traffic_run import run_traffic, traffic_document
from experiments.sweep.point import flat_numbers
from experiments.tables.columns import TableRow
from experiments.tables.text_tables import swept_table
from serving.traffic_file import TrafficFile, traffic_file
from specs.errors import RackError

_SHOWN = {
    "output_throughput": "tokens/s out",
    "p50_ttft_ms": "TTFT p50",
    "p99_ttft_ms": "TTFT p99",
    "p50_tpot_ms": "TPOT p50",
    "p99_e2el_ms": "E2EL p99",
}
# What a fleet is compiled for does not depend on these.
_NOT_COMPILED = {"traffic", "slo", "seed", "pairing"}


def traffic_rows(
    content: Mapping[str, Any],
    axes: Mapping[str, list[Any]],
    origin: str,
    *,
    engine: str = "timetable",
) -> Iterator[TableRow]:
    """Yield a row for each point of a sweep of traffic, or why it was refused.

    Points that differ in requests, objectives, seed and pairing alone share what was
    compiled, one after another.

    Parameters
    ----------
    content
        Keys and values of the traffic file.
    axes
        Values of each axis by its name: a key of the file, ``table.key``, or a setting
        of the machine.
    origin
        Name of the file, for messages.
    engine
        What serves the requests.

    Raises
    ------
    RackError
        If an axis is unknown, or all points are refused: for the first one's reason.
    """
    compiled: dict[str, PreparedFleet] = {}
    first: RackError | None = None
    served = False
    for swept in steps(axes):
        given = with_keys(content, swept)
        try:
            file = traffic_file(given, origin)
            document = _document(file, engine, compiled)
        except RackError as error:
            yield {**swept, "feasible": False, "reason": str(error)}
            first = first or error
            continue
        served = True
        numbers = flat_numbers({**document, "inputs": {}})
        yield {**swept, **numbers, "feasible": True, "reason": ""}
    if first is not None and not served:
        raise first


def _document(
    file: TrafficFile, engine: str, compiled: dict[str, PreparedFleet]
) -> dict[str, Any]:
    """Return what traffic gave, with a fleet that may be compiled already."""
    if file.frame is None:
        plan = best_frame(file)
        run = run_traffic(plan.file, engine=engine, prepared=plan.prepared)
        return traffic_document(run)
    key = file.model_dump_json(exclude=_NOT_COMPILED)
    if key not in compiled:
        compiled.clear()
        compiled[key] = prepare_fleet(file)
    run = run_traffic(file, engine=engine, prepared=compiled[key])
    return traffic_document(run)


def traffic_table(rows: list[TableRow], names: list[str]) -> Group:
    """Return the table of a sweep of traffic that is printed, with a first refusal.

    Parameters
    ----------
    rows
        Rows as `traffic_rows` yields them.
    names
        The swept keys.
    """
    return swept_table(rows, names, _SHOWN, _cell)


def _cell(row: TableRow, name: str) -> str:
    """Return a value of a row as text; a dash if there is none."""
    value = row.get(name)
    return "-" if value is None else f"{value:,.3f}"
