"""A topology as a table for people."""

from rich.table import Table

from topologies.metrics import TopologySummary


def topology_report(described: TopologySummary) -> Table:
    """Return the figures of a topology, one a line."""
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="dim", min_width=24)
    table.add_column()
    levels = ", ".join(
        f"{n:,} {level}" for level, n in described.links_by_level.items()
    )
    degree = described.degree
    pairs = described.chips * (described.chips - 1)
    histogram = ", ".join(
        f"{hops}: {count / pairs:.1%}"
        for hops, count in described.hop_histogram.items()
    )
    rows = {
        "topology": described.name,
        "chips": f"{described.chips:,}, {described.active_chips:,} active",
        "cables": f"{described.links:,} ({levels})",
        "links of a chip": f"{degree['min']} to {degree['max']}",
        "hops, chip to chip": f"{described.mean_hops:.3f} on average, at most "
        f"{described.diameter_hops}",
        "pairs of chips by hops": histogram,
        "hops, gateway rule": f"{described.mean_gateway_hops:.3f} on average, at most "
        f"{described.diameter_gateway_hops}",
        "cables between halves": f"{described.bisection_links:,} (in chip order)",
        "fingerprint": described.fingerprint,
    }
    for name, value in rows.items():
        table.add_row(name, value)
    return table
