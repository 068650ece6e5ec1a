"""All published figures beside ours, and the table of them."""

from collections.abc import Callable

from rich.table import Table
from rich.text import Text

from chip.timing import matmul_cycles
from experiments.comparison import Kind, Row
from experiments.preparation import compile_scenario
from experiments.timing_rows import timing_rows
from sharding.memory import kv_cache_bytes
from sharding.task import Task
from sharding.units import Block
from sharding.units import Kind as Piece
from specs.machine import load_machine
from specs.model import load_model
from specs.scenario import Scenario
from topologies.metrics import TopologySummary, describe
from topologies.selection import select_topology
from topologies.topology import Level, Topology

_WORDS = ("figure", "kind")
_NODE_CHIPS, _RACK_CHIPS, _NODES33_CHIPS, _ALL_CHIPS = 8, 72, 264, 10_440


def validation_rows() -> list[Row]:
    """Return all comparisons."""
    return [*_wiring(), *_links(), *timing_rows(), *_chip(), *_models(), *_deployment()]


def _wiring() -> list[Row]:
    node, rack, nodes33, whole = (
        select_topology(chips, kind)
        for chips, kind in (
            (_NODE_CHIPS, "node"),
            (2 * _RACK_CHIPS, "dragonfly"),
            (_NODES33_CHIPS, "nodes33"),
            (_ALL_CHIPS, "dragonfly"),
        )
    )
    described = describe(nodes33)
    largest: TopologySummary = describe(whole)
    ports = load_machine().chip.ports
    # The wiring is built from its counts; its distances are not put in anywhere.
    built = [
        ("cables of a node", 28, node.links, "cables"),
        ("outward ports of a node", 32, 8 * ports - 2 * node.links, "ports"),
        ("chips of the 33-node system", 264, nodes33.chips, "chips"),
        ("ports inside a rack", 144, _ports(rack, Level.RACK), "ports"),
        ("ports out of a rack", 144, _ports(rack, Level.GLOBAL), "ports"),
        ("chips of 145 racks", _ALL_CHIPS, whole.chips, "chips"),
        ("cables of 145 racks", 57_420, whole.links, "cables"),
    ]
    found = [
        ("diameter of the 33-node system", 3, described.diameter_hops, 0.0),
        ("diameter of 145 racks, gateway rule", 5, largest.diameter_gateway_hops, 0.0),
        # The published rule is not known: a regular wiring has 7 if every hop counts.
        ("diameter of 145 racks, every hop", 5, largest.diameter_hops, 0.4),
    ]
    return [
        *(_wired(name, published, ours, unit) for name, published, ours, unit in built),
        *(
            _wired(
                name,
                published,
                ours,
                "hops",
                tolerance=tolerance,
                kind=Kind.PREDICTED,
            )
            for name, published, ours, tolerance in found
        ),
    ]


def _wired(
    name: str,
    published: int,
    ours: int,
    unit: str,
    *,
    tolerance: float = 0.0,
    kind: Kind = Kind.INPUT,
) -> Row:
    return Row(
        name=name,
        source="isca22",
        published=published,
        ours=ours,
        unit=unit,
        tolerance=tolerance,
        kind=kind,
    )


def _ports(topology: Topology, level: Level) -> int:
    """Return the ports of one rack that cables of `level` use."""
    of_level = topology.level == level
    return int((of_level & (topology.rack[topology.source] == 0)).sum())


def _links() -> list[Row]:
    machine = load_machine()
    link, chip = machine.link, machine.chip
    means = link.jitter_mean_fraction
    mean = link.latency_cycles + sum(means) / len(means) * link.jitter_cycles
    return [
        Row(
            name="payload of a vector on the wire",
            source="isca22",
            published=0.975,
            ours=link.vector_bytes / link.wire_bytes,
            unit="fraction",
            tolerance=0.001,
            kind=Kind.INPUT,
        ),
        Row(
            name="one hop, SRAM to SRAM",
            source="isca22",
            published=650,
            ours=chip.send_cycles + mean + chip.receive_cycles,
            unit="cycles",
            tolerance=0.01,
            kind=Kind.CALIBRATED,
        ),
    ]


def _chip() -> list[Row]:
    """Return the two LSTM runs that give the weight feed; INT8, 8 n^2 weights."""
    chip = load_machine().chip
    return [
        Row(
            name=f"LSTM of {size} on one chip",
            source="gapi",
            published=published,
            ours=matmul_cycles(chip, weights=8 * size**2, stored_bytes=8 * size**2),
            unit="cycles",
            tolerance=0.02,
            kind=Kind.CALIBRATED,
        )
        for size, published in ((512, 670), (1024, 1958))
    ]


def _models() -> list[Row]:
    model = load_model("llama-2-70b")
    task = Task(model, load_machine(), tensor=8, context=1, batch=1)
    attention = Block(Piece.ATTENTION, 0, 0, 1, 1)
    cache = int(kv_cache_bytes(task, attention, sequences=1).sum()) * model.layers
    return [
        Row(
            name="parameters of Llama-2-70B",
            source="facts",
            published=68.98e9,
            ours=model.parameters,
            unit="parameters",
            tolerance=0.001,
            kind=Kind.PREDICTED,
        ),
        Row(
            name="KV cache of Llama-2-70B per token",
            source="facts",
            published=327_680,
            ours=cache,
            unit="bytes",
            tolerance=0,
            kind=Kind.PREDICTED,
        ),
    ]


def _deployment() -> list[Row]:
    """Return the one system figure, for both widths at which weights may be fed.

    Nothing is fitted to it: constants come from single-chip and single-link figures.
    """

    def rate(operand_bytes: int) -> float:
        scenario = Scenario(settings={"chip.operand_bytes": operand_bytes})
        prepared, schedule = compile_scenario(scenario)
        return prepared.machine.chip.clock_hz / schedule.latency_cycles

    return [
        Row(
            name=f"Llama-2-70B on 576 chips, weights fed as {width} B",
            source="deployment",
            published=(240, 300),
            ours=rate(width),
            unit="tokens/s",
            tolerance=0.30,
            kind=Kind.PREDICTED,
        )
        for width in (1, 2)
    ]


def validation_report(rows: list[Row]) -> Table:
    """Return the comparison as a table for people."""
    table = Table(box=None, pad_edge=False, collapse_padding=True)
    columns: list[tuple[str, Callable[[Row], str]]] = [
        ("figure", _figure),
        ("published", _published),
        ("ours", lambda row: _number(row.ours)),
        ("error", lambda row: f"{row.error:+.1%}" if row.error else "exact"),
        ("within", lambda row: f"{row.tolerance:.1%}" if row.tolerance else "exact"),
        ("kind", lambda row: row.kind),
    ]
    for name, _ in columns:
        table.add_column(name, justify="left" if name in _WORDS else "right")
    table.add_column("")
    for row in rows:
        verdict = (
            Text("ok", style="green") if row.ok else Text("MISS", style="bold red")
        )
        table.add_row(*(cell(row) for _, cell in columns), verdict)
    return table


def _figure(row: Row) -> str:
    """Return the name, with the unit unless the name says it."""
    return row.name if row.unit in row.name else f"{row.name} ({row.unit})"


def _published(row: Row) -> str:
    if isinstance(row.published, tuple):
        return "..".join(_number(end) for end in row.published)
    return _number(row.published)


def _number(value: float) -> str:
    if value >= 10**9:
        return f"{value / 10**9:.2f} G"
    return f"{value:,.0f}" if value == int(value) else f"{value:,.4g}"
