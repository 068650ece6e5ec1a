"""Bandwidth of uniform all-to-all traffic, simulated or bounded by the busiest link."""

from typing import NamedTuple

import numpy as np

from compiler.routing.gateway_routing import gateway_paths
from compiler.routing.gateways import Gateways
from experiments.run.collective import run_collective
from fabric.replay_engine.vector_times import tally_vectors
from specs.machine import MachineSpec
from specs.units import PS_PER_NS
from topologies.cables import CHIPS_PER_NODE, CHIPS_PER_RACK
from topologies.topology import Topology

ROUTINGS = {"over gateways": "hierarchical", "fewest hops": "one-shot"}
SIMULATED, BOUNDED = "vector by vector", "bound from one rack"
# Enough that the latency of the first vector is below 1 % of the time.
_VECTORS_PER_CHIP = 40_000


class TrafficRow(NamedTuple):
    """Bandwidth of uniform traffic on one machine: a row of a table.

    Attributes
    ----------
    topology, chips
        The machine.
    routing
        ``over gateways``, one link between racks, or ``fewest hops``.
    evaluated
        Whether every vector was simulated, or a bound computed.
    injected_gb_per_s, leaving_node_gb_per_s
        Payload of each chip, and the part of it to other nodes, in 10^9 B/s.
    bound_gb_per_s
        Payload of each chip at which the busiest link is full, in 10^9 B/s.
    vector_hops
        Vectors simulated, counted on every link; of a bound, messages.
    violations
        Vectors that broke the schedule.
    """

    topology: str
    chips: int
    routing: str
    evaluated: str
    injected_gb_per_s: float
    leaving_node_gb_per_s: float
    bound_gb_per_s: float
    vector_hops: int
    violations: int


def simulated_bandwidth(
    topology: Topology, machine: MachineSpec, routing: str, seed: int
) -> TrafficRow:
    """Return the simulated bandwidth of uniform traffic."""
    chips = topology.chips
    share = _VECTORS_PER_CHIP // chips * machine.link.vector_bytes
    run = run_collective(
        topology,
        machine,
        "all-to-all",
        payload_bytes=share * chips,
        algorithm=ROUTINGS[routing],
        seed=seed,
    )
    program = run.schedule.program
    (record,) = run.result.records
    tally = tally_vectors(program, topology, machine, record, seed=seed)
    injected = share * (chips - 1) * PS_PER_NS / run.network_ps
    load = np.bincount(program.trains.link, minlength=len(topology.source))
    return TrafficRow(
        topology=topology.name,
        chips=chips,
        routing=routing,
        evaluated=SIMULATED,
        injected_gb_per_s=injected,
        leaving_node_gb_per_s=injected * _leaving(topology),
        bound_gb_per_s=_bound_gb_per_s(machine, chips, int(load.max())),
        vector_hops=tally.vector_hops,
        violations=run.violations + tally.late,
    )


def bandwidth_bound(topology: Topology, machine: MachineSpec) -> TrafficRow:
    """Return the bandwidth of uniform traffic at which the busiest link is full.

    All racks are wired and routed alike. So the load of one link under the traffic of
    all racks is the load of one rack's traffic, summed over the links that leave the
    same place of any rack by the same port.
    """
    rack = np.arange(CHIPS_PER_RACK, dtype=np.int64)
    chips = topology.chips
    source = np.repeat(rack, chips)
    target = np.tile(np.arange(chips, dtype=np.int64), len(rack))
    other = source != target
    gateways = Gateways(topology, topology.active.astype(np.int64))
    paths = gateway_paths(gateways, source[other], target[other])
    links = paths[paths >= 0]
    place = topology.source[links].astype(np.int64) % CHIPS_PER_RACK
    alike = place * topology.ports_per_chip + topology.source_port[links]
    injected = _bound_gb_per_s(machine, chips, int(np.bincount(alike).max()))
    return TrafficRow(
        topology=topology.name,
        chips=chips,
        routing="over gateways",
        evaluated=BOUNDED,
        injected_gb_per_s=injected,
        leaving_node_gb_per_s=injected * _leaving(topology),
        bound_gb_per_s=injected,
        vector_hops=len(links),
        violations=0,
    )


def _leaving(topology: Topology) -> float:
    """Return the share of uniform traffic that goes to other nodes."""
    return (topology.chips - CHIPS_PER_NODE) / (topology.chips - 1)


def _bound_gb_per_s(machine: MachineSpec, chips: int, busiest: int) -> float:
    """Return a chip's rate of traffic with `busiest` messages on the busiest link."""
    return (chips - 1) / busiest * machine.line.payload_gb_per_s
