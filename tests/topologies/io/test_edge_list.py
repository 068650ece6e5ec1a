import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from specs.errors import TopologyError
from topologies.io.edge_list import (
    CableTable,
    length_in_m,
    level_named,
    table_topology,
    whole_number,
)
from topologies.topology import Level, Topology


def row(*levels: Level, ports: tuple[tuple[int, int], ...] | None = None) -> Topology:
    """Return chips in a row, joined by one cable of each level."""
    table = CableTable.blank(len(levels))
    table.ends[:] = [(chip, chip + 1) for chip in range(len(levels))]
    table.level[:] = levels
    if ports:
        table.ports[:] = ports
    return table_topology(
        "row", table, chips=len(levels) + 1, places=None, ports_per_chip=4
    )


def test_a_blank_table_has_open_ports_and_cables_of_a_metre() -> None:
    table = CableTable.blank(2)
    assert table.ends.tolist() == [[0, 0], [0, 0]]
    assert table.ports.tolist() == [[-1, -1], [-1, -1]]
    assert table.level.tolist() == [Level.LOCAL] * 2
    assert table.length_m.tolist() == [1.0, 1.0]


def test_local_cables_make_nodes_and_all_but_global_ones_make_racks() -> None:
    chips = row(Level.LOCAL, Level.RACK, Level.LOCAL, Level.GLOBAL)
    assert chips.node.tolist() == [0, 0, 1, 1, 2]
    assert chips.slot.tolist() == [0, 1, 0, 1, 0]
    assert chips.rack.tolist() == [0, 0, 0, 0, 1]


def test_an_open_port_is_the_lowest_that_no_cable_of_the_chip_names() -> None:
    chips = row(Level.LOCAL, Level.LOCAL, ports=((3, -1), (0, -1)))
    assert chips.source_port[::2].tolist() == [3, 0]
    assert chips.target_port[::2].tolist() == [1, 0]


def test_given_places_are_kept() -> None:
    table = CableTable.blank(1)
    table.ends[:] = [(0, 1)]
    places = {
        name: np.array(of_chips, np.int32)
        for name, of_chips in (("rack", [4, 5]), ("node", [6, 7]), ("slot", [2, 3]))
    }
    pair = table_topology("pair", table, chips=2, places=places, ports_per_chip=1)
    assert (pair.rack.tolist(), pair.node.tolist()) == ([4, 5], [6, 7])
    assert pair.slot.tolist() == [2, 3]


def test_a_port_that_no_chip_has_is_refused() -> None:
    with pytest.raises(TopologyError, match=r"chip 1 has no port 4 \(cable 0\): .* 3;"):
        row(Level.LOCAL, ports=((0, 4),))


@pytest.mark.parametrize("level", Level)
def test_a_level_is_named_in_any_case(level: Level) -> None:
    assert level_named(level.name, "here") is level_named(level.label, "here") is level


def test_an_unknown_level_is_refused_with_the_nearest() -> None:
    with pytest.raises(TopologyError, match=r"^row 3: no level 'gobal'; .*'global'"):
        level_named("gobal", "row 3")


@given(st.integers(0, 999_999_999))
def test_a_whole_number_is_read_from_its_digits(number: int) -> None:
    assert whole_number(f" {number} ", "chip", "here") == number
    assert whole_number(number, "chip", "here") == number


@pytest.mark.parametrize("value", [-1, 1.5, "x", "", None, 1_000_000_000])
def test_what_is_no_whole_number_is_refused(value: object) -> None:
    with pytest.raises(TopologyError, match=r"^row 3: chip must be a whole number"):
        whole_number(value, "chip", "row 3")


def test_a_length_is_read_as_metres() -> None:
    assert [length_in_m(value, "here") for value in (2, 0.5, "1.25")] == [2, 0.5, 1.25]


@pytest.mark.parametrize("value", [0, -1, "far", None, "nan", "inf"])
def test_what_is_no_length_is_refused(value: object) -> None:
    with pytest.raises(TopologyError, match=r"^row 3: length_m must be > 0 metres"):
        length_in_m(value, "row 3")
