import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from topologies.cables import CableBundle, both_directions, topology_from_cables
from topologies.topology import Level

int64s = st.integers(-(2**63), 2**63 - 1)


@given(st.lists(st.tuples(int64s, int64s)))
def test_even_entries_are_forward_and_odd_ones_backward(
    pairs: list[tuple[int, int]],
) -> None:
    forward = np.array([one for one, _ in pairs], dtype=np.int64)
    backward = np.array([other for _, other in pairs], dtype=np.int64)
    both = both_directions(forward, backward)
    assert both[::2].tolist() == forward.tolist()
    assert both[1::2].tolist() == backward.tolist()


def test_bundles_make_the_topology_of_equal_nodes() -> None:
    # Two nodes of two chips, each its own rack: 0-1 and 2-3 local, 1-2 global.
    local = CableBundle(
        source=np.array([0, 2]),
        source_port=np.array([0, 0]),
        target=np.array([1, 3]),
        target_port=np.array([0, 0]),
        level=Level.LOCAL,
        length_m=0.75,
    )
    between = CableBundle(
        source=np.array([1]),
        source_port=np.array([1]),
        target=np.array([2]),
        target_port=np.array([2]),
        level=Level.GLOBAL,
        length_m=5.0,
    )
    built = topology_from_cables(
        "pair",
        [local, between],
        chips=4,
        chips_per_rack=2,
        chips_per_node=2,
        representatives=None,
        ports_per_chip=3,
    )
    assert (built.name, built.links, built.ports_per_chip) == ("pair", 3, 3)
    assert built.source.tolist() == [0, 1, 2, 3, 1, 2]
    assert built.target.tolist() == [1, 0, 3, 2, 2, 1]
    assert built.source_port.tolist() == [0, 0, 0, 0, 1, 2]
    assert built.target_port.tolist() == [0, 0, 0, 0, 2, 1]
    assert built.level.tolist() == [0, 0, 0, 0, 2, 2]
    assert built.length_m.tolist() == [0.75] * 4 + [5.0] * 2
    assert built.rack.tolist() == built.node.tolist() == [0, 0, 1, 1]
    assert built.slot.tolist() == [0, 1, 0, 1]
    assert built.active.tolist() == [0, 1, 2, 3]
