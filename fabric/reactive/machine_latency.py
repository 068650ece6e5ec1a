"""Reactive networks with the hardware of a machine, and latencies in them."""

from fabric.random_streams import Draws
from fabric.reactive.network import simulate_reactive
from fabric.reactive.router_spec import ReactiveSpec
from fabric.reactive.traffic import Journeys, drawn_latency_ps, mean_latency_ps
from specs.arrays import Floats
from specs.machine import MachineSpec
from specs.units import PS_PER_NS, ceil_div
from topologies.routing.static_routes import Routes, chip_pairs
from topologies.topology import Topology


def reactive_specs(machine: MachineSpec, topology: Topology) -> dict[str, ReactiveSpec]:
    """Return a machine's reactive networks by name, with few and with enough buffers.

    With enough places a wire never waits for a credit: a vector holds its place for the
    latency of a link, of a router, and of the link that returns the credit.
    """
    few = ReactiveSpec.of_machine(machine)
    link_ps = int(mean_latency_ps(machine, topology).max())
    enough = ceil_div(2 * link_ps + few.pass_ps, few.vector_ps)
    places = sorted({few.buffer_vectors, enough})
    return {
        f"reactive {count}": ReactiveSpec.of_machine(machine, buffer_vectors=count)
        for count in places
    }


def unloaded_latency_ns(
    machine: MachineSpec, routes: Routes, topology: Topology
) -> dict[tuple[int, int], float]:
    """Return the latency in an empty reactive network, by source and target, in ns."""
    spec = ReactiveSpec.of_machine(machine)
    link_ps = mean_latency_ps(machine, topology)
    return {
        pair: spec.unloaded_ps(link_ps[list(routes.path(*pair))]) / PS_PER_NS
        for pair in chip_pairs(topology)
    }


def reactive_latency_ns(
    machine: MachineSpec,
    topology: Topology,
    spec: ReactiveSpec,
    journey: Journeys,
    seed: int,
) -> Floats:
    """Return the simulated latency of each message in a reactive network, in ns."""
    latency_ps = drawn_latency_ps(machine, topology, journey, Draws(seed))
    credit_ps = mean_latency_ps(machine, topology)
    result = simulate_reactive(
        spec, journey, latency_ps=latency_ps, credit_ps=credit_ps
    )
    return result.latency_ps / PS_PER_NS
