import numpy as np

from fabric.clocks.clock import Clock
from fabric.clocks.crystals import Clocks, Crystals
from fabric.clocks.hac import AlignedCounter
from fabric.clocks.start_propagation import StartPropagation, propagate_start
from fabric.links.latency import least_latency_ps
from fabric.random_streams import Draws
from specs.machine import load_machine
from topologies.routing.spanning_tree import alignment_tree
from topologies.selection import select_topology

RACK = select_topology(72)
IDEAL = load_machine().with_settings({"clock.model": "ideal", "link.jitter_cycles": 0})
EPOCH = IDEAL.hac.epoch_cycles
TREE = alignment_tree(RACK, IDEAL, 0)


def ideal_crystals() -> Crystals:
    clock = Clock(frequency_hz=IDEAL.chip.clock_hz)
    clocks = Clocks(
        each=(clock,) * RACK.chips, offset_ppm=(0.0,) * RACK.chips, random_walk=None
    )
    counter = AlignedCounter(root=clock, error_counts=0)
    return Crystals(clocks=clocks, counters=(counter,) * RACK.chips, root=clock)


def propagation() -> StartPropagation:
    return propagate_start(IDEAL, RACK, TREE, Draws(1))


def test_without_jitter_a_link_takes_its_least_latency() -> None:
    least_ps = least_latency_ps(IDEAL, RACK)[TREE.parent_link]
    below = TREE.depth > 0
    assert (propagation().latency_ps[below] == least_ps[below]).all()


def test_chips_further_up_wait_for_the_deepest() -> None:
    start = propagation()
    # A level takes one epoch here.
    assert start.total_epochs == TREE.height
    assert (start.waiting_epochs == TREE.height - TREE.depth).all()
    assert start.members.tolist() == list(range(72))


def test_all_chips_begin_in_one_cycle_after_the_epochs_of_the_tree_and_sync() -> None:
    start = propagation().start(ideal_crystals(), from_ps=0)
    begin = EPOCH * (1 + TREE.height) + IDEAL.chip.sync_cycles
    assert set(start.cycle) == {begin}
    assert (start.count, start.epochs) == (begin, TREE.height)
    assert start.events == 2 * 72
    clock = Clock(frequency_hz=IDEAL.chip.clock_hz)
    assert start.duration_ps == clock.edge_ps(begin) - clock.edge_ps(EPOCH)


def test_the_root_waits_for_the_first_epoch_edge_from_a_time_on() -> None:
    clock = Clock(frequency_hz=IDEAL.chip.clock_hz)
    start = propagation()
    crystals = ideal_crystals()
    counts = [
        start.start(crystals, clock.edge_ps(cycle)).count
        for cycle in (0, EPOCH - 1, EPOCH)
    ]
    assert np.diff(counts).tolist() == [0, EPOCH]


def test_a_parent_transmits_later_so_that_no_start_arrives_across_an_edge() -> None:
    machine = load_machine().with_settings({"hac.epoch_cycles": 220})
    start = propagate_start(machine, RACK, TREE, Draws(1))
    below = TREE.depth > 0
    assert start.transmit_cycles[below].all()
    # Over 2 m a start takes 6 cycles more. Counters are off by 1 a level.
    least = np.where(RACK.length_m[TREE.parent_link] > 1, 215, 209)
    earliest = start.transmit_cycles + least - (2 * TREE.depth - 1) - 2
    assert (earliest == 220)[below].all()
    assert start.total_epochs == 2 * TREE.height
