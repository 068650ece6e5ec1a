from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from specs.errors import TopologyError
from topologies.builders.node import node_topology
from topologies.builders.rack import rack_topology
from topologies.topology import Level, Topology


def line(chips: int, **changes: Any) -> Topology:
    """Chips in a row: cable k joins port 1 of chip k to port 0 of chip k + 1."""
    left = np.arange(chips - 1)
    ends = np.stack([left, left + 1], axis=1)
    zeros = np.zeros(chips)
    fields: dict[str, Any] = {
        "name": "line",
        "chips": chips,
        "active": np.arange(chips),
        "source": ends.ravel(),
        "target": ends[:, ::-1].ravel(),
        "source_port": np.tile([1, 0], chips - 1),
        "target_port": np.tile([0, 1], chips - 1),
        "level": np.zeros(2 * chips - 2),
        "length_m": np.ones(2 * chips - 2),
        "rack": zeros,
        "node": zeros,
        "slot": np.arange(chips),
        "representatives": None,
    }
    return Topology(**fields | changes)


def test_directed_links_of_a_pair_are_known_from_both_ends() -> None:
    row = line(3)
    assert row.links == 2
    assert row.links_between(0, 1) == (0,)
    assert row.links_between(1, 0) == (1,)
    assert row.links_between(0, 2) == ()
    assert row.out_links(1) == (1, 2)


def test_parallel_cables_are_all_returned() -> None:
    pair = line(
        2,
        source=[0, 1, 1, 0],
        target=[1, 0, 0, 1],
        source_port=[0, 0, 1, 1],
        target_port=[0, 0, 1, 1],
        level=np.zeros(4),
        length_m=np.ones(4),
    )
    assert pair.links_between(0, 1) == (0, 3)
    assert pair.links_between(1, 0) == (1, 2)
    assert pair.adjacency().matrix().toarray().tolist() == [[0, 2], [2, 0]]


def test_links_between_agrees_with_out_links_in_a_whole_rack() -> None:
    rack = rack_topology()
    for chip in range(rack.chips):
        links = [
            link
            for peer in range(rack.chips)
            for link in rack.links_between(chip, peer)
        ]
        assert tuple(sorted(links)) == rack.out_links(chip)


def test_arrays_are_read_only_and_the_callers_own_stay_writable() -> None:
    active = np.array([1, 0], np.int32)
    row = line(3, active=active)
    with pytest.raises(ValueError, match="read-only"):
        row.active[0] = 2
    active[0] = 2
    assert row.active.tolist() == [1, 0]


def test_a_copy_with_other_active_chips_shares_its_links() -> None:
    node = node_topology()
    part = replace(node, active=np.array([3, 1]))
    assert part.active_chips == 2
    assert part.source is node.source


def test_a_single_chip_needs_no_links() -> None:
    assert line(1).links == 0


def test_levels_are_written_in_lower_case() -> None:
    assert [level.label for level in Level] == ["local", "rack", "global"]


def test_networkx_gets_every_cable_with_its_ports() -> None:
    graph = node_topology().to_networkx()
    assert graph.number_of_edges() == 28
    assert graph.edges[0, 1, 0] == {
        "source_port": 0,
        "target_port": 6,
        "level": "local",
        "length_m": 0.75,
    }
    assert graph.nodes[5] == {"rack": 0, "node": 0, "slot": 5}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"source_port": [0, 0, 0, 0], "target_port": [0, 0, 0, 0]},
            "chip 1 port 0 is used by cables 0 and 1; port 1 is free",
        ),
        (
            {"source": [0, 0, 1, 2], "target": [0, 0, 2, 1], "source_port": [1, 2] * 2}
            | {"target_port": [2, 1] * 2},
            "chip 0 is linked to itself by cable 0; remove",
        ),
        (
            {"ports_per_chip": 1},
            "chip 1 has 2 links but 1 ports; remove 1 of them or raise ports_per_chip",
        ),
        (
            {"source_port": [12, 0, 1, 0], "target_port": [0, 12, 0, 1]},
            r"chip 0 has no port 12 \(cable 0\): ports are numbered 0 to 10",
        ),
        (
            {"source": [0, 1, 0, 1], "target": [1, 0, 1, 0]}
            | {"source_port": [0, 0, 1, 1], "target_port": [0, 0, 1, 1]},
            "chip 2 cannot be reached from chip 0: .* 2 separate parts, the first "
            "with 2 of 3 chips; add at least 1 cables",
        ),
        ({"source": [0, 1, 1, 9]}, "directed links 2 and 3 are not the two directions"),
        (
            {"source": [0, 1, 1, 7], "target": [1, 0, 7, 1]},
            "ends at chip 7: chips are numbered 0 to 2",
        ),
        ({"active": []}, "no chip is active; name at least 1 of the 3 chips"),
        ({"active": [0, 3]}, "active chip 3 does not exist: .* 0 to 2"),
        ({"active": [2, 2]}, "chip 2 is active 2 times"),
        ({"level": [0, 0, 3, 3]}, "cable 1 has level 3: levels are 0 to 2"),
        ({"length_m": [1, 1, 0, 0]}, "cable 1 is 0.0 m long; give it a length above 0"),
        ({"length_m": [np.nan, 1, 1, 1]}, "cable 0 is nan m long"),
        ({"source_port": [65_536, 0, 1, 0]}, "source_port holds values .* up to 32767"),
        ({"rack": [0, 0]}, r"rack must have shape \(3,\), got \(2,\)"),
    ],
)
def test_impossible_topologies_are_refused(
    changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(TopologyError, match=message):
        line(3, **changes)


def test_an_odd_number_of_directed_links_is_refused() -> None:
    odd = {
        name: [0]
        for name in ("source", "target", "source_port", "target_port", "level")
    }
    with pytest.raises(TopologyError, match="1 directed links: every cable needs one"):
        line(2, **odd, length_m=[1.0])


def test_chips_that_do_not_exist_are_refused() -> None:
    with pytest.raises(TopologyError, match=r"no chip pair \(0, 3\): .* 0 to 2"):
        line(3).links_between(0, 3)
    with pytest.raises(TopologyError, match="no chip -1: chips are numbered 0 to 2"):
        line(3).out_links(-1)
