import numpy as np
import pytest

from specs.errors import TopologyError
from topologies.builders.flat_chips import MOST_CHIPS, check_size, flat_topology
from topologies.builders.global_link_arrangement import GroupCables
from topologies.topology import Level


def test_a_cable_is_2_m_inside_a_rack_and_5_m_between_racks() -> None:
    # A row of 73 chips: only the last stands in the second rack.
    left = np.arange(72)
    row = flat_topology(
        "row",
        GroupCables(left, np.ones_like(left), left + 1, np.zeros_like(left)),
        chips=73,
        active=np.array([72, 0]),
        representatives=None,
        ports_per_chip=2,
    )
    assert row.rack.tolist() == [0] * 72 + [1]
    assert row.level[::2].tolist() == [Level.RACK] * 71 + [Level.GLOBAL]
    assert row.length_m[::2].tolist() == [2.0] * 71 + [5.0]
    assert row.node.tolist() == list(range(73))
    assert set(row.slot.tolist()) == {0}
    assert row.active.tolist() == [72, 0]
    assert row.links_between(3, 4) == (6,)
    assert (row.source_port[6], row.target_port[6]) == (1, 0)


@pytest.mark.parametrize("chips", [0, MOST_CHIPS + 1])
def test_a_size_out_of_range_is_refused(chips: int) -> None:
    with pytest.raises(TopologyError, match=rf"x: a machine of {chips} chips; ask for"):
        check_size("x", chips=chips, ports=1, ports_per_chip=11)


def test_a_chip_with_too_few_ports_is_refused() -> None:
    with pytest.raises(TopologyError, match="x: chip 0 has 12 links but 11 ports; "):
        check_size("x", chips=4, ports=12, ports_per_chip=11)


@pytest.mark.parametrize("chips", [1, MOST_CHIPS])
def test_the_limits_themselves_are_allowed(chips: int) -> None:
    check_size("x", chips=chips, ports=11, ports_per_chip=11)
