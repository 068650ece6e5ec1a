"""Where racks stand, and how long the cables between them are."""

from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from specs.floor import FloorSpec
from specs.machine import load_machine
from topologies.floor_plan import cable_lengths_m, on_floor, rack_positions_m
from topologies.io.files import csv_text
from topologies.selection import select_topology
from topologies.spare_nodes import select_with_spares
from topologies.topology import Level

FLOOR = load_machine().floor
FLOORS = st.builds(
    FloorSpec,
    racks_per_row=st.integers(1, 40),
    rack_pitch_m=st.floats(0.1, 5),
    row_pitch_m=st.floats(0.1, 10),
    drop_m=st.floats(0.1, 20),
)


@given(racks=st.integers(1, 200), floor=FLOORS)
def test_no_two_racks_stand_in_one_place_and_neighbours_stand_side_by_side(
    racks: int, floor: FloorSpec
) -> None:
    positions = rack_positions_m(racks, floor)
    assert len(np.unique(positions.round(6), axis=0)) == racks
    steps = np.abs(np.diff(positions, axis=0))
    along, across = steps.T
    turns = np.arange(1, racks) % floor.racks_per_row == 0
    assert np.allclose(along, np.where(turns, 0, floor.rack_pitch_m))
    assert np.allclose(across, np.where(turns, floor.row_pitch_m, 0))


@given(floor=FLOORS, racks=st.integers(2, 145), seed=st.integers(0, 99))
def test_a_cable_is_as_long_both_ways_and_no_longer_than_a_detour(
    floor: FloorSpec, racks: int, seed: int
) -> None:
    chance = np.random.default_rng(seed)
    one, other, third = chance.integers(0, racks, (3, 50))
    length = cable_lengths_m(one, other, floor)
    assert np.array_equal(length, cable_lengths_m(other, one, floor))
    assert (length >= floor.drop_m).all()
    ways = cable_lengths_m(one, third, floor) + cable_lengths_m(third, other, floor)
    assert (length <= ways - floor.drop_m + 1e-9).all()


def test_only_cables_between_racks_follow_the_floor_plan() -> None:
    built = select_topology(144)
    placed = on_floor(built, FLOOR)
    between = built.level == Level.GLOBAL
    assert np.array_equal(placed.length_m[~between], built.length_m[~between])
    # Two racks side by side: 1.5 m up, 0.6 m across, 1.5 m down.
    assert np.allclose(placed.length_m[between], 3.6)
    assert np.array_equal(placed.source, built.source)


def test_the_racks_of_the_largest_system_stand_in_thirteen_rows() -> None:
    floor = FLOOR
    lengths = cable_lengths_m(*np.triu_indices(145, 1), floor)
    assert np.isclose(lengths.min(), floor.drop_m + floor.rack_pitch_m)
    # Rack 144 is alone in the last row, and rack 11 at the other end of the first.
    assert np.allclose(rack_positions_m(145, floor)[144], [0, 12 * 2.4])
    assert np.isclose(lengths.max(), 3.0 + 12 * 2.4 + 11 * 0.6)


def test_a_rack_alone_has_no_cable_to_lay() -> None:
    rack = select_topology(72)
    assert on_floor(rack, FLOOR) is rack


def test_a_machine_stands_on_its_floor_and_a_file_states_its_own_lengths(
    tmp_path: Path,
) -> None:
    placed = select_with_spares(144, spare_nodes=0, floor=FLOOR)
    assert np.array_equal(
        placed.length_m, on_floor(select_topology(144), FLOOR).length_m
    )
    path = tmp_path / "mine.csv"
    path.write_text(csv_text(select_topology(144)), encoding="utf-8")
    read = select_with_spares(144, str(path), floor=FLOOR)
    assert set(read.length_m.tolist()) == {0.75, 2.0, 5.0}
