import numpy as np
import pytest
from numpy.typing import NDArray

from fabric.clocks.clock import Clock
from fabric.clocks.hac_tracking import Tracking
from fabric.clocks.link_bring_up import bring_up
from fabric.links.latency import Jitter, least_latency_ps
from fabric.random_streams import Draws
from fabric.simpy_engine.hac_protocol import HacProtocol
from specs.machine import MachineSpec, load_machine
from topologies.outage import Outage
from topologies.routing.spanning_tree import SpanningTree, alignment_tree
from topologies.selection import select_topology
from topologies.topology import Topology

TOPOLOGIES = {
    8: select_topology(8),
    72: select_topology(72),
    264: select_topology(264, "nodes33"),
}
# Fewer exchanges further apart tell as much of the rate, and less of the latency.
SHORT = {"hac.exchanges": 64, "hac.spacing_epochs": 64, "hac.windows_per_gain": 2}


def crystals_of(machine: MachineSpec, topology: Topology, seed: int) -> list[Clock]:
    """Return crystals of random offset and phase."""
    chance, ppm = np.random.default_rng(seed), machine.clock.largest_error_ppm
    return [
        Clock.with_offset(machine.chip.clock_hz, float(offset_ppm), int(phase_ps))
        for offset_ppm, phase_ps in zip(
            chance.uniform(-ppm, ppm, topology.chips),
            chance.integers(0, 1_111, topology.chips),
            strict=True,
        )
    ]


def both(
    chips: int, seed: int, windows: int, tree: SpanningTree, machine: MachineSpec
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the errors after each window by events, and by arrays."""
    topology, draws = TOPOLOGIES[chips], Draws(seed)
    clocks = crystals_of(machine, topology, seed)
    protocol = HacProtocol(machine, topology, tree, clocks=clocks, draws=draws)
    tracking = Tracking(machine, topology, tree, clocks=clocks, draws=draws)
    by_arrays = []
    for _ in range(windows):
        tracking.run_window()
        by_arrays.append(tracking.errors())
    return protocol.run(windows), np.array(by_arrays)


@pytest.mark.parametrize(
    ("chips", "seed", "settings"),
    [
        (8, 0, {}),
        (8, 1, {}),
        (72, 2, {}),
        (72, 3, SHORT | {"hac.tree": "least_error"}),
        (72, 4, SHORT | {"link.latency_cycles": 300, "clock.drift_ppm": 150}),
        (72, 4, SHORT | {"hac.epoch_cycles": 220, "link.jitter": "gaussian"}),
        (72, 5, SHORT | {"link.jitter_cycles": 0}),
        (72, 6, SHORT | {"clock.model": "ideal"}),
        (264, 7, SHORT),
        (264, 8, SHORT | {"clock.drift_ppm": 200}),
    ],
)
def test_every_chip_is_off_by_the_same_in_both_forms(
    chips: int, seed: int, settings: dict[str, object]
) -> None:
    machine = load_machine().with_settings(settings)
    tree = alignment_tree(TOPOLOGIES[chips], machine, root=seed)
    by_events, by_arrays = both(chips, seed, 16 if chips < 264 else 8, tree, machine)
    assert np.array_equal(by_events, by_arrays)
    assert by_events.any()


def test_a_chip_that_is_left_out_has_no_error_in_either_form() -> None:
    machine = load_machine().with_settings(SHORT)
    tree = alignment_tree(TOPOLOGIES[72], machine, 0, Outage(chips=frozenset({1, 40})))
    by_events, by_arrays = both(72, 1, 3, tree, machine)
    assert np.array_equal(by_events, by_arrays)
    assert not by_arrays[:, [0, 1, 40]].any()


@pytest.mark.parametrize("seed", [1, 2])
def test_links_are_measured_alike_in_both_forms(seed: int) -> None:
    settings = {"hac.exchanges": 16, "hac.most_exchanges": 128}
    machine, topology = load_machine().with_settings(settings), TOPOLOGIES[72]
    tree = alignment_tree(topology, machine, 0)
    clocks, draws = crystals_of(machine, topology, seed), Draws(seed)
    protocol = HacProtocol(machine, topology, tree, clocks=clocks, draws=draws)
    protocol.run(1)
    below = np.flatnonzero(tree.parent >= 0)
    by_arrays = bring_up(
        machine,
        topology,
        tree.parent_link[below].astype(np.int64),
        clocks=clocks,
        least_ps=least_latency_ps(machine, topology),
        jitter=Jitter(machine, topology),
        draws=draws,
    )
    by_events = np.array([protocol.measured[chip] for chip in below.tolist()])
    assert np.array_equal(by_events.T, np.stack(by_arrays))
    # Some links settle sooner than others.
    assert len(np.unique(by_arrays.exchanges)) > 1
