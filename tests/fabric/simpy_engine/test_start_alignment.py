import math

import numpy as np
import pytest
import simpy
from hypothesis import given
from hypothesis import strategies as st

from fabric.clocks.aligned_crystals import make_crystals
from fabric.clocks.alignment_epochs import level_delays
from fabric.clocks.crystals import Crystals, make_clocks
from fabric.clocks.start_propagation import Start, propagate_start
from fabric.random_streams import Draws
from fabric.simpy_engine.start_alignment import Alignment
from specs.errors import ScheduleError
from specs.machine import MachineSpec, load_machine
from topologies.floor_plan import on_floor
from topologies.outage import Outage
from topologies.routing.spanning_tree import spanning_tree
from topologies.selection import select_topology

TOPOLOGIES = {
    8: select_topology(8),
    72: select_topology(72),
    264: select_topology(264, "nodes33"),
    576: select_topology(576),
}


def aligned(
    machine: MachineSpec,
    chips: int,
    seed: int = 1,
    root: int = 0,
    from_ps: int = 0,
) -> tuple[Start, Crystals]:
    topology, draws = TOPOLOGIES[chips], Draws(seed)
    tree = spanning_tree(topology, root)
    clocks = make_clocks(machine, topology.chips, tree.root, draws)
    crystals = make_crystals(machine, topology, tree, clocks=clocks, draws=draws)
    down = propagate_start(machine, topology, tree, draws)
    start = Alignment(simpy.Environment(), down, crystals).run(from_ps)
    # Without events it is the same, number by number.
    assert start == down.start(crystals, from_ps)
    return start, crystals


@pytest.mark.parametrize("chips", [8, 72, 264, 576])
@pytest.mark.parametrize("seed", range(3))
def test_the_start_takes_the_published_number_of_epochs(chips: int, seed: int) -> None:
    start, _ = aligned(load_machine(), chips, seed, root=seed)
    height = spanning_tree(TOPOLOGIES[chips], seed).height
    # In a node 209 + 33 cycles and 3 of counters are below the epoch. Over 2 m they are
    # 6 more and over 5 m 20 more, and so transmitted later, to arrive in the next.
    longest = {8: 242, 72: 252 + 33 + 14, 264: 252 + 33 + 10, 576: 252 + 33 + 18}[chips]
    assert start.epochs == (longest // 252 + 1) * height


def test_a_latency_beyond_an_epoch_costs_one_more_at_each_level() -> None:
    slow = load_machine().with_settings({"link.latency_cycles": 300})
    start, _ = aligned(slow, 72)
    assert start.epochs == (339 // 252 + 1) * spanning_tree(TOPOLOGIES[72], 0).height


@pytest.mark.parametrize("drop_m", [3, 20, 60, 100])
def test_cables_longer_than_an_epoch_start_a_machine_by_the_published_formula(
    drop_m: int,
) -> None:
    machine = load_machine().with_settings({"floor.drop_m": drop_m})
    topology = on_floor(select_topology(144), machine.floor)
    tree = spanning_tree(topology, 0)
    delays = level_delays(machine, topology, tree)
    # 0.9 cycles a ns, 5 ns a metre beyond 0.75 m; two racks are 0.6 m apart.
    least = 209 + math.ceil((drop_m + 0.6 - 0.75) * 4.5)
    across = topology.rack[tree.parent] != topology.rack
    below = across & (tree.depth > 0)
    sent = delays.transmit_cycles[below] + least
    level = int((sent.max() + 33) // 252 + 1)
    assert delays.per_level == level == {3: 2, 20: 2, 60: 3, 100: 3}[drop_m]
    for seed in range(2):
        draws = Draws(seed)
        clocks = make_clocks(machine, topology.chips, tree.root, draws)
        crystals = make_crystals(machine, topology, tree, clocks=clocks, draws=draws)
        down = propagate_start(machine, topology, tree, draws)
        start = Alignment(simpy.Environment(), down, crystals).run()
        assert start == down.start(crystals, 0)
        assert start.epochs == level * tree.height


@pytest.mark.parametrize("jitter", ["beta", "gaussian"])
@pytest.mark.parametrize("epoch", [200, 212, 220, 244, 300])
def test_a_start_that_may_arrive_on_either_side_of_an_edge_is_sent_after_it(
    epoch: int, jitter: str
) -> None:
    machine = load_machine().with_settings(
        {"hac.epoch_cycles": epoch, "link.jitter": jitter}
    )
    topology = TOPOLOGIES[72]
    delays = level_delays(machine, topology, spanning_tree(topology, 0))
    # Latencies are 209 to 242, and 6 more over 2 m. Counters are off by 1 a level, in
    # either direction that of the parent and the child's, and 2 for edges and counts.
    least = np.where(topology.length_m > 1, 215, 209)
    tree = spanning_tree(topology, 0)
    below = tree.depth > 0
    sent = delays.transmit_cycles[below] + least[tree.parent_link[below]]
    off = 2 * tree.depth[below] - 1 + 2
    assert ((sent - off) // epoch == (sent + 33 + off) // epoch).all()
    assert (delays.epochs[below] == (sent + 33) // epoch + 1).all()
    assert delays.transmit_cycles.any() == (epoch in {212, 220, 244})
    for seed in range(4):
        start, _ = aligned(machine, 72, seed)
        assert start.epochs == delays.per_level * tree.height


@given(
    drift_ppm=st.floats(0, 200),
    error=st.integers(1, 3),
    seed=st.integers(0, 2**32),
    root=st.integers(0, 71),
)
def test_all_chips_begin_at_one_count_of_their_own_counters(
    drift_ppm: float, error: int, seed: int, root: int
) -> None:
    machine = load_machine().with_settings(
        {"clock.drift_ppm": drift_ppm, "hac.tracking_error_counts": error}
    )
    start, crystals = aligned(machine, 72, seed, root)
    height = spanning_tree(TOPOLOGIES[72], root).height
    begins = []
    for clock, counter, cycle in zip(
        crystals.clocks.each, crystals.counters, start.cycle, strict=True
    ):
        assert counter.start_cycle(clock, start.count) == cycle
        assert abs(counter.error_counts) <= error * height
        begins.append(clock.edge_ps(cycle))
    # Counters are off by their error, and a cycle more to the next edge.
    most_cycles = 2 * error * height + 1
    assert max(begins) - min(begins) <= most_cycles * 1112 + 1


def test_ideal_clocks_all_begin_in_the_same_picosecond() -> None:
    machine = load_machine().with_settings(
        {"clock.model": "ideal", "link.jitter_cycles": 0}
    )
    start, crystals = aligned(machine, 72)
    begins = {
        clock.edge_ps(cycle)
        for clock, cycle in zip(crystals.clocks.each, start.cycle, strict=True)
    }
    assert len(begins) == 1
    # Three epochs from the transmission on, then SYNC.
    assert start.duration_ps == (3 * 252 + 35) * 10_000 // 9
    assert start.count == 4 * 252 + 35


def test_an_epoch_shorter_than_the_jitter_is_refused_with_one_that_works() -> None:
    machine = load_machine().with_settings({"hac.epoch_cycles": 36})
    with pytest.raises(
        ScheduleError,
        match=r"within 39 cycles \(33 of jitter, counters off by 3 either way\), more "
        r"than an epoch of 36: set hac.epoch_cycles above 39",
    ):
        level_delays(machine, TOPOLOGIES[8], spanning_tree(TOPOLOGIES[8], 0))


def test_a_chip_at_the_root_waits_for_nobody() -> None:
    topology = TOPOLOGIES[8]
    delays = level_delays(load_machine(), topology, spanning_tree(topology, 3))
    assert delays.epochs.tolist() == [1, 1, 1, 0, 1, 1, 1, 1]
    assert delays.per_level == 1
    assert not delays.transmit_cycles.any()


@given(seed=st.integers(0, 2**32))
def test_crystals_are_within_their_tolerance_and_spread_over_it(seed: int) -> None:
    topology = TOPOLOGIES[264]
    clocks = make_clocks(load_machine(), topology.chips, 0, Draws(seed))
    offset_ppm = np.array(clocks.offset_ppm)
    assert np.abs(offset_ppm).max() <= 50.001
    assert offset_ppm.min() < -40
    assert offset_ppm.max() > 40
    assert clocks.phase_ps[0] == 0
    assert 0 < clocks.phase_ps.max() < 1112


@given(
    seed=st.integers(0, 2**32),
    from_us=st.floats(0, 1e5),
    model=st.sampled_from(["ideal", "constant", "walk"]),
    chips=st.sampled_from([8, 72, 264]),
)
def test_a_start_at_any_time_takes_as_many_epochs_as_the_first(
    seed: int, from_us: float, model: str, chips: int
) -> None:
    machine = load_machine().with_settings({"clock.model": model})
    start, _ = aligned(machine, chips, seed, from_ps=round(from_us * 10**6))
    assert start.epochs == aligned(machine, chips, seed)[0].epochs


def blocked(
    dead_chips: tuple[int, ...] = (), dead_links: tuple[int, ...] = ()
) -> Alignment:
    """Return a rack about to align over chips and links that are dead."""
    machine, topology, draws = load_machine(), TOPOLOGIES[72], Draws(1)
    tree = spanning_tree(topology, 0)
    clocks = make_clocks(machine, topology.chips, 0, draws)
    crystals = make_crystals(machine, topology, tree, clocks=clocks, draws=draws)
    down = propagate_start(machine, topology, tree, draws)
    return Alignment(
        simpy.Environment(),
        down,
        crystals,
        dead_chips=dead_chips,
        dead_links=dead_links,
    )


def test_a_chip_that_is_dead_is_named_with_what_it_waits_on() -> None:
    tree = spanning_tree(TOPOLOGIES[72], 0)
    chip = int(tree.parent[tree.depth == 2][0])
    with pytest.raises(
        ScheduleError,
        match=rf"chip {chip} waits for the start from chip 0 on link "
        rf"{tree.parent_link[chip]}, which never comes: chip {chip} is dead; \d+ of 72",
    ):
        blocked(dead_chips=(chip,)).run()


def test_a_link_that_is_dead_is_named_with_who_waits_at_its_end() -> None:
    tree = spanning_tree(TOPOLOGIES[72], 0)
    chip = int(np.flatnonzero(tree.depth == 3)[0])
    link = int(tree.parent_link[chip])
    with pytest.raises(
        ScheduleError,
        match=rf"chip {chip} waits for the start from chip {tree.parent[chip]} on link "
        rf"{link}, which never comes: link {link} is dead; 1 of 72 chips",
    ):
        blocked(dead_links=(link,)).run()


def test_a_dead_root_keeps_everyone_waiting() -> None:
    with pytest.raises(ScheduleError, match=r"chip 0, the root .* other 71 chips"):
        blocked(dead_chips=(0,)).run()


def test_a_tree_without_what_is_dead_starts_all_the_others() -> None:
    machine, topology, draws = load_machine(), TOPOLOGIES[72], Draws(1)
    dead = {3, 9, 40}
    tree = spanning_tree(topology, 0, outage=Outage(chips=frozenset(dead)))
    clocks = make_clocks(machine, topology.chips, 0, draws)
    crystals = make_crystals(machine, topology, tree, clocks=clocks, draws=draws)
    down = propagate_start(machine, topology, tree, draws)
    start = Alignment(simpy.Environment(), down, crystals, dead_chips=dead).run()
    assert start == down.start(crystals, 0)
    assert {chip for chip, cycle in enumerate(start.cycle) if not cycle} == dead
    assert start.epochs == level_delays(machine, topology, tree).per_level * tree.height
