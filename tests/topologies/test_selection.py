from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specs.errors import TopologyError
from topologies.builders.node import node_topology
from topologies.io.files import csv_text
from topologies.selection import select_topology, whole_machine_chips


@pytest.mark.parametrize(
    ("asked", "kind", "name", "chips"),
    [
        (1, "auto", "node", 8),
        (8, "auto", "node", 8),
        (9, "auto", "rack", 72),
        (72, "auto", "rack", 72),
        (73, "auto", "dragonfly", 144),
        (576, "auto", "dragonfly", 576),
        (10_440, "auto", "dragonfly", 10_440),
        (8, "rack", "rack", 72),
        (264, "nodes33", "nodes33", 264),
        (64, "dragonfly", "rack", 72),
        (100, "dragonfly", "dragonfly", 144),
        (100, "dragonfly:costas", "dragonfly", 144),
        (100, "dragonfly:palmtree", "dragonfly:palmtree", 144),
        (100, "dragonfly:random-7", "dragonfly:random-7", 144),
        (8, "DF_A14_8_CHIP", "node", 8),
        (2, "DF_A14_2_CHIP", "node", 8),
        (4, "DF_A14_4_CHIP", "node", 8),
        (16, "DF_A14_16_CHIP", "rack", 72),
        (32, "DF_A14_32_CHIP", "rack", 72),
        (64, "DF_A14_64_CHIP", "rack", 72),
        (40, "RT09_A14_40_CHIP", "rack", 72),
        (72, "RT09_A14_72_CHIP", "rack", 72),
        (60, "torus", "torus:5x4x3", 60),
        (64, "torus:2d", "torus:8x8", 64),
        (60, "torus:8x8*2", "torus:8x8*2", 64),
        (60, "hypercube", "hypercube:6", 64),
        (60, "flattened-butterfly:4x4x4", "flattened-butterfly:4x4x4", 64),
        (10, "full-mesh", "full-mesh:10", 10),
    ],
)
def test_the_kind_follows_from_the_number_of_chips(
    asked: int, kind: str, name: str, chips: int
) -> None:
    topology = select_topology(asked, kind)
    assert (topology.name, topology.chips) == (name, chips)
    assert topology.active.tolist() == list(range(asked))


@given(st.integers(1, 720))
def test_no_chip_asked_for_is_missing(chips: int) -> None:
    topology = select_topology(chips)
    assert topology.active_chips == chips <= topology.chips


def test_a_file_is_read_and_may_be_used_in_part(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(csv_text(node_topology()))
    mine = select_topology(5, str(path))
    assert (mine.name, mine.chips, mine.active_chips) == ("mine", 8, 5)
    with pytest.raises(
        TopologyError, match=r"9 chips asked for, but it has 8 that can"
    ):
        select_topology(9, str(path))


@pytest.mark.parametrize(
    ("chips", "kind", "message"),
    [
        (0, "auto", "at least 1 chip, got 0"),
        (
            73,
            "rack",
            r"73 chips asked for, but topology 'rack' holds 72; use 'auto' or one "
            r"that holds enough: 'nodes33' \(264\), 'dragonfly' \(10440\)",
        ),
        (9, "node", r"holds 8; .* 'rack' \(72\), 'nodes33' \(264\)"),
        (10_441, "auto", "the largest system is 145 racks, 10440 chips; ask for 10440"),
        (8, "dragonfyl", r"no topology 'dragonfyl'; did you mean 'dragonfly'\?"),
        (8, "mesh", r"no topology 'mesh'; did you mean 'full-mesh'\?"),
        (8, "rack:palmtree", "no topology 'rack:palmtree'"),
        (8, "dragonfly:palm", r"no order 'palm' .*; did you mean 'palmtree'\?"),
        (65, "DF_A14_64_CHIP", "holds 64; .* 'rack' .72."),
        (65, "torus:8x8", "65 chips asked for, but it has 64 that can work"),
        (99999, "torus", "99999 chips asked for; ask for 65536"),
    ],
)
def test_a_count_that_does_not_fit_is_refused(
    chips: int, kind: str, message: str
) -> None:
    with pytest.raises(TopologyError, match=message):
        select_topology(chips, kind)


def test_only_the_leaves_of_a_fat_tree_work() -> None:
    tree = select_topology(60, "fat-tree")
    assert (tree.name, tree.chips, tree.active_chips) == ("fat-tree:4x3", 112, 60)
    assert tree.active[:9].tolist() == [0, 1, 2, 3, 7, 8, 9, 10, 14]


@pytest.mark.parametrize(
    ("name", "chips"),
    [
        ("DF_A14_64_CHIP", 64),
        *((f"RT09_A14_{chips}_CHIP", chips) for chips in (16, 32, 40, 48, 56, 64, 72)),
        *((f"DF_A14_{chips}_CHIP", chips) for chips in (2, 4, 8, 16, 32)),
        ("nodes33", 264),
        ("torus:8x9", 72),
        ("hypercube:6", 64),
        ("fat-tree:4x3*2", 64),
        ("full-mesh:8", 8),
        ("torus", None),
        ("dragonfly:palmtree", None),
    ],
)
def test_a_name_with_a_size_says_its_chips(name: str, chips: int | None) -> None:
    assert whole_machine_chips(name) == chips
