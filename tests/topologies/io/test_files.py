from pathlib import Path

import pytest

from specs.errors import SpecError, TopologyError
from topologies.builders.dragonfly import dragonfly_topology
from topologies.builders.rack import rack_topology
from topologies.io.files import csv_text, graphml_text, read_topology
from topologies.metrics.summary import fingerprint
from topologies.topology import Topology


@pytest.mark.parametrize("built", [rack_topology(), dragonfly_topology(3)])
def test_csv_gives_back_the_same_links(built: Topology, tmp_path: Path) -> None:
    path = tmp_path / "machine.csv"
    path.write_text(csv_text(built))
    again = read_topology(path)
    assert again.name == "machine"
    for name in ("source", "target", "source_port", "target_port", "level"):
        assert getattr(again, name).tolist() == getattr(built, name).tolist()
    for name in ("length_m", "rack", "node", "slot"):
        assert getattr(again, name).tolist() == getattr(built, name).tolist()


@pytest.mark.parametrize("built", [rack_topology(), dragonfly_topology(3)])
def test_graphml_gives_back_the_same_topology(built: Topology, tmp_path: Path) -> None:
    path = tmp_path / "machine.graphml"
    path.write_text(graphml_text(built))
    again = read_topology(path)
    assert fingerprint(again) == fingerprint(built)
    assert again.length_m.sum() == built.length_m.sum()
    for name in ("rack", "node", "slot"):
        assert getattr(again, name).tolist() == getattr(built, name).tolist()


def test_two_columns_are_enough(tmp_path: Path) -> None:
    path = tmp_path / "ring.csv"
    path.write_text("source,target\n0,1\n1,2\n2,0\n")
    ring = read_topology(path)
    assert ring.chips == 3
    assert ring.source_port.tolist() == [0, 0, 1, 0, 1, 1]
    assert set(ring.length_m.tolist()) == {1.0}


def test_an_empty_port_takes_one_that_no_other_row_names(tmp_path: Path) -> None:
    path = tmp_path / "pair.csv"
    path.write_text("source,target,source_port,target_port\n0,1,,\n0,1,0,0\n")
    assert read_topology(path).source_port.tolist() == [1, 1, 0, 0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "row 1: no column 'source' in the header"),
        ("source,target\n", "no links; write at least one row"),
        ("source,targt\n0,1\n", "row 1: no column 'targt'; did you mean 'target'"),
        ("source,target\n0,1\n1,x\n", "row 3: target must be a whole number.*'x'"),
        (
            "source,target\n0\n",
            "row 2: target must be a whole number from 0.* got None",
        ),
        ("source,target\n0,1,2\n", "row 2: more values than the header has columns"),
        ("source,target\n0,1\n1,1\n", "row 3: chip 1 is linked to itself"),
        ("source,target\n0,900\n", "row 2: chip 900 is out of reach: 1 links connect"),
        ("source,target\n0,1\n0,1\n2,3\n", "chip 2 cannot be reached from chip 0"),
        (
            "source,target,source_port\n0,1,4\n0,1,4\n",
            "row 3: chip 0 port 4 is used in row 2 too; leave the port empty",
        ),
        (
            "source,target,source_port,target_port\n0,1,4,0\n1,2,0,0\n",
            "row 3: chip 1 port 0 is used in row 2 too",
        ),
        ("source,target,source_port\n0,1,11\n", "chip 0 has no port 11"),
        ("source,target,source_port\n0,1,65536\n", "chip 0 has no port 65536"),
        ("source,target\n0,1234567890\n", "row 2: target .* 9 digits at most"),
        (
            "source,target,level\n0,1,rak\n",
            "row 2: no level 'rak'; did you mean 'rack'",
        ),
        ("source,target,length_m\n0,1,0\n", "row 2: length_m must be > 0 metres"),
        (
            "source,target,length_m\n0,1,far\n",
            "length_m must be > 0 metres and at most 10,000, got 'far'",
        ),
    ],
)
def test_a_csv_error_names_file_and_row(
    text: str, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "links.csv"
    path.write_text(text)
    with pytest.raises(TopologyError, match=rf"links\.csv: .*{message}"):
        read_topology(path)


def test_what_is_not_graphml_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "broken.graphml"
    path.write_text("source,target\n")
    with pytest.raises(TopologyError, match=r"broken\.graphml: not a GraphML graph"):
        read_topology(path)


def test_a_graphml_error_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "big.graphml"
    path.write_text(graphml_text(rack_topology()))
    with pytest.raises(TopologyError, match=r"big\.graphml: chip 1 has no port 6"):
        read_topology(path, ports_per_chip=4)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing.csv", r"no file .*missing\.csv"),
        ("links.txt", "ends in .csv or .graphml, not '.txt'"),
    ],
)
def test_files_that_cannot_be_read_are_refused(
    name: str, message: str, tmp_path: Path
) -> None:
    with pytest.raises((SpecError, TopologyError), match=message):
        read_topology(tmp_path / name)


def test_a_table_in_utf_16_is_the_same_machine(tmp_path: Path) -> None:
    text = csv_text(rack_topology())
    (tmp_path / "links.csv").write_bytes(text.encode("utf-16"))
    assert csv_text(read_topology(tmp_path / "links.csv")) == text


def test_a_cell_that_no_csv_can_have_is_refused_by_its_file(tmp_path: Path) -> None:
    path = tmp_path / "links.csv"
    path.write_text(f"source,target\n0,{'1' * 200_000}\n")
    with pytest.raises(TopologyError, match=r"links\.csv: row \d: field larger"):
        read_topology(path)


def test_a_graph_may_name_the_encoding_that_its_file_has(tmp_path: Path) -> None:
    head = "<?xml version='1.0' encoding='utf-16'?>\n"
    graph = head + graphml_text(rack_topology())
    (tmp_path / "a.graphml").write_bytes(graph.encode("utf-16"))
    (tmp_path / "b.graphml").write_text(graphml_text(rack_topology()))
    assert csv_text(read_topology(tmp_path / "a.graphml")) == csv_text(
        read_topology(tmp_path / "b.graphml")
    )


def test_a_key_without_a_type_is_refused_and_nothing_is_warned_of(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.graphml"
    namespace = "http://graphml.graphdrawing.org/xmlns"
    path.write_text(f"<graphml xmlns={namespace!r}><key/><graph/></graphml>")
    # Warnings are errors here.
    with pytest.raises(TopologyError, match=r"not a GraphML graph \(Unknown key"):
        read_topology(path)
