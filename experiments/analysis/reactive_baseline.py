"""Reactive networks of a machine, the baseline model, and latencies in them."""

from experiments.analysis.traffic_schedule import Network
from fabric.random_streams import Draws
from fabric.reactive.network import simulate_reactive
from fabric.reactive.router_spec import ReactiveSpec
from fabric.reactive.traffic import Journeys, drawn_latency_ps, mean_latency_ps
from specs.arrays import Floats
from specs.units import PS_PER_NS, ceil_div


def reactive_specs(net: Network) -> dict[str, ReactiveSpec]:
    """Return reactive networks by name, with few and with enough buffers, to compare.

    With enough places a wire never waits for a credit: a vector holds its place for the
    latency of a link, of a router, and of the link that returns the credit.
    """
    few = ReactiveSpec.of_machine(net.machine)
    link_ps = int(mean_latency_ps(net.machine, net.topology).max())
    enough = ceil_div(2 * link_ps + few.pass_ps, few.vector_ps)
    places = sorted({few.buffer_vectors, enough})
    return {
        f"reactive {count}": ReactiveSpec.of_machine(net.machine, buffer_vectors=count)
        for count in places
    }


def unloaded_latency_ns(net: Network) -> dict[tuple[int, int], float]:
    """Return the latency by ends in an empty reactive network, for comparison."""
    spec = ReactiveSpec.of_machine(net.machine)
    link_ps = mean_latency_ps(net.machine, net.topology)
    chips = net.chips.tolist()
    return {
        (a, b): spec.unloaded_ps(link_ps[list(net.routes.path(a, b))]) / PS_PER_NS
        for a in chips
        for b in chips
        if a != b
    }


def reactive_latency_ns(
    net: Network, spec: ReactiveSpec, journey: Journeys, seed: int
) -> Floats:
    """Return the simulated reactive latency of each message in ns, for comparison."""
    latency_ps = drawn_latency_ps(net.machine, net.topology, journey, Draws(seed))
    credit_ps = mean_latency_ps(net.machine, net.topology)
    result = simulate_reactive(
        spec, journey, latency_ps=latency_ps, credit_ps=credit_ps
    )
    return result.latency_ps / PS_PER_NS
