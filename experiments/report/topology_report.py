"""Report of a topology: its figures, a table for people, and a file."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.table import Table

from experiments.tables.atomic_write import check_writable, write_bytes
from specs.errors import OutputError
from specs.line_rate import LineRate
from topologies.io.files import csv_text, graphml_text
from topologies.metrics.link_load import uniform_traffic
from topologies.metrics.summary import describe
from topologies.topology import Topology

Facts = dict[str, Any]


def topology_facts(topology: Topology, line: LineRate) -> Facts:
    """Return the figures to report of a topology, for ``groqrack topology --json``.

    To those of :class:`~topologies.metrics.summary.TopologySummary` it adds how much
    payload each working chip can send to all others alike, in 10^9 B/s: ``bound``
    whatever the routing; ``minimal`` over minimal paths, all of a pair used alike;
    ``level`` over minimal paths if only the links of that level mattered, on average.
    """
    traffic = uniform_traffic(topology)
    rate = line.payload_gb_per_s
    return {
        **describe(topology).to_dict(),
        "uniform_bound_gb_per_s": rate * traffic.bound_links,
        "uniform_level_gb_per_s": {
            level: rate * links for level, links in traffic.level_links.items()
        },
        "uniform_minimal_gb_per_s": rate * traffic.minimal_links,
    }


def write_topology(topology: Topology, path: Path) -> Path:
    """Write the topology of a report as ``.csv``, ``.graphml``, or drawn as ``.png``.

    Raises
    ------
    OutputError
        If the path ends otherwise or cannot be written.
    """
    contents: dict[str, Callable[[Topology], bytes]] = {
        ".csv": lambda topology: csv_text(topology).encode(),
        ".graphml": lambda topology: graphml_text(topology).encode(),
        ".png": _picture,
    }
    suffix = path.suffix.lower()
    if suffix not in contents:
        raise OutputError(
            f"cannot write a topology to {path}: choose an --out that ends in "
            f"{', '.join(contents)}"
        )
    check_writable(path.parent)
    return write_bytes(path, contents[suffix](topology))


def _picture(topology: Topology) -> bytes:
    """Return the drawing for a report of a topology as PNG bytes."""
    # Matplotlib takes a third of a second to load, and a table does without.
    from experiments.plots.run_figure import picture_bytes  # noqa: PLC0415
    from experiments.plots.topology_drawing import topology_figure  # noqa: PLC0415

    return picture_bytes(topology_figure(topology))


def topology_report(facts: Facts) -> Table:
    """Return the text report of a topology: figures of `topology_facts`, one a line."""
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="dim", min_width=24)
    table.add_column()
    chips, degree, lengths = facts["chips"], facts["degree"], facts["cable_length_m"]
    levels = ", ".join(f"{n:,} {level}" for level, n in facts["links_by_level"].items())
    histogram = ", ".join(
        f"{hops}: {count / (chips * (chips - 1)):.1%}"
        for hops, count in facts["hop_histogram"].items()
    )
    by_level = ", ".join(
        f"{rate:.1f} {level}" for level, rate in facts["uniform_level_gb_per_s"].items()
    )
    rows = {
        "topology": facts["name"],
        "chips": f"{chips:,}, {facts['active_chips']:,} active",
        "cables": f"{facts['links']:,} ({levels})",
        "cable lengths": f"{sum(lengths.values()):,.0f} m in all",
        "links of a chip": f"{degree['min']} to {degree['max']}",
        "hops, chip to chip": f"{facts['mean_hops']:.3f} on average, at most "
        f"{facts['diameter_hops']}",
        "pairs of chips by hops": histogram,
        "hops, gateway rule": f"{facts['mean_gateway_hops']:.3f} on average, at most "
        f"{facts['diameter_gateway_hops']}",
        "cables between halves": f"{facts['bisection_links']:,} (in chip order)",
        "uniform traffic, bound": f"{facts['uniform_bound_gb_per_s']:.1f} GB/s a chip",
        "  on minimal paths": f"{facts['uniform_minimal_gb_per_s']:.1f} GB/s a chip",
        "  by links of a level": f"{by_level} GB/s a chip",
        "fingerprint": facts["fingerprint"],
    }
    for name, value in rows.items():
        table.add_row(name, value)
    return table
