import pytest
from hypothesis import given
from hypothesis import strategies as st

from specs.errors import TopologyError
from topologies.builders.graph_families import (
    FAMILIES,
    family_chips,
    family_topology,
    names_a_family,
)


@given(st.integers(1, 700), st.sampled_from(FAMILIES))
def test_a_topology_holds_the_chips_asked_for(chips: int, kind: str) -> None:
    if kind == "full-mesh":
        chips = min(chips, 12)
    built = family_topology(chips, kind, ports_per_chip=11)
    assert built.active_chips >= chips
    assert names_a_family(built.name)
    # Its name makes the same again, whatever number of chips it was chosen for.
    assert family_chips(built.name) == built.active_chips
    again = family_topology(1, built.name, ports_per_chip=11)
    assert again.source.tolist() == built.source.tolist()


@pytest.mark.parametrize(
    ("chips", "kind", "name"),
    [
        (64, "torus", "torus:4x4x4"),
        (576, "torus", "torus:9x8x8"),
        (576, "torus:2d", "torus:24x24"),
        (10_440, "torus", "torus:29x20x18"),
        (71, "torus", "torus:6x4x3"),
        (64, "flattened-butterfly", "flattened-butterfly:8x4x2"),
        (32, "flattened-butterfly*2", "hypercube:5*2"),
        (576, "flattened-butterfly", "flattened-butterfly:4x3x3x2x2x2x2"),
        (33, "hypercube", "hypercube:6"),
        (576, "fat-tree", "fat-tree:5x4"),
        (65, "fat-tree*2", "fat-tree:3x4*2"),
    ],
)
def test_sides_suit_the_chips(chips: int, kind: str, name: str) -> None:
    assert family_topology(chips, kind, ports_per_chip=11).name == name


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("torus:8y8", "no topology 'torus:8y8'; write torus, torus:2d, torus:8x9"),
        ("torus:", "no topology 'torus:'"),
        ("torus:8x8*0", "no topology"),
        ("torus:1x8", "torus:1x8: every side needs at least 2 chips"),
        ("torus:9999x9999", "a machine of 99980001 chips; ask for 1 to 65536"),
        ("torus:4x4x4*2", r"chip 0 has 12 links but 11 ports; .* set chip.ports to 12"),
        ("hypercube:12", "hypercube:12: chip 0 has 12 links but 11 ports"),
        ("hypercube:2x2", "no topology 'hypercube:2x2'; write hypercube or"),
        ("hypercube:0", "no topology 'hypercube:0'"),
        ("hypercube:99", "no topology 'hypercube:99'"),
        ("full-mesh:13", "full-mesh:13: chip 0 has 12 links but 11 ports"),
        ("full-mesh:2d", "no topology 'full-mesh:2d'"),
        ("fat-tree:4", r"no topology 'fat-tree:4'; write fat-tree or fat-tree:4x3"),
        ("fat-tree:6x2", "fat-tree:6x2: chip 0 has 12 links but 11 ports"),
        ("fat-tree:1x2", "needs an arity of at least 2"),
        ("fat-tree:9x16", "ask for 1 to 65536"),
    ],
)
def test_impossible_names_are_refused(name: str, message: str) -> None:
    with pytest.raises(TopologyError, match=message):
        family_topology(8, name, ports_per_chip=11)


def test_a_flattened_butterfly_of_few_ports_is_small() -> None:
    with pytest.raises(TopologyError, match="5 ports has 32 chips at most"):
        family_topology(64, "flattened-butterfly*2", ports_per_chip=11)


def test_chips_with_more_ports_may_have_more_links() -> None:
    assert family_topology(64, "full-mesh", ports_per_chip=63).links == 2016
