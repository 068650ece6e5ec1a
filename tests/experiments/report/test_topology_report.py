import io
from pathlib import Path

import pytest
from rich.console import Console

from experiments.report.topology_report import (
    topology_facts,
    topology_report,
    write_topology,
)
from specs.errors import OutputError
from specs.machine import load_machine
from topologies.builders.node import node_topology
from topologies.io.files import read_topology
from topologies.metrics.summary import describe

LINE = load_machine().line


def test_uniform_traffic_of_a_node_uses_each_link_of_a_chip_alike() -> None:
    facts = topology_facts(node_topology(), LINE)
    # Seven links carry what a chip sends to seven others.
    assert facts["uniform_bound_gb_per_s"] == pytest.approx(7 * LINE.payload_gb_per_s)
    assert facts["uniform_minimal_gb_per_s"] == facts["uniform_bound_gb_per_s"]


def test_the_report_says_every_distance_in_80_columns() -> None:
    printed = io.StringIO()
    console = Console(width=80, file=printed)
    console.print(topology_report(topology_facts(node_topology(), LINE)))
    text = printed.getvalue()
    assert max(map(len, text.splitlines())) <= 80
    assert "28 (28 local, 0 rack, 0 global)" in text
    assert "1.000 on average, at most 1" in text


@pytest.mark.parametrize("suffix", [".csv", ".graphml"])
def test_a_written_topology_is_read_back(suffix: str, tmp_path: Path) -> None:
    path = write_topology(node_topology(), tmp_path / f"node{suffix}")
    assert describe(read_topology(path)) == describe(node_topology())


def test_a_suffix_that_names_no_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"ends in \.csv, \.graphml, \.png"):
        write_topology(node_topology(), tmp_path / "node.txt")
    assert list(tmp_path.iterdir()) == []
