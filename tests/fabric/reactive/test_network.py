from dataclasses import replace
from typing import NamedTuple

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fabric.random_streams import Draws
from fabric.reactive.network import ReactiveResult, simulate_reactive
from fabric.reactive.router_spec import ReactiveSpec
from fabric.reactive.traffic import (
    Journeys,
    Messages,
    drawn_latency_ps,
    journeys,
    mean_latency_ps,
    uniform_messages,
)
from specs.arrays import Ints
from specs.errors import SpecError
from specs.machine import load_machine
from topologies.io.networkx_graph import from_networkx
from topologies.routing.static_routes import Routes
from topologies.selection import select_topology
from topologies.topology import Topology

MACHINE = load_machine()
BASELINE = ReactiveSpec.of_machine(MACHINE)
AMPLE = replace(BASELINE, buffer_vectors=10_000)
NODE, RACK = select_topology(8), select_topology(72)
PAIR = from_networkx(nx.path_graph(2))
RING = from_networkx(nx.cycle_graph(4))


class Carried(NamedTuple):
    route: Journeys
    result: ReactiveResult
    latency_ps: Ints


def messages(*rows: tuple[int, int, int, int]) -> Messages:
    columns = np.array(rows, dtype=np.int64).T
    return Messages(
        source=columns[0], target=columns[1], vectors=columns[2], ready_ps=columns[3]
    )


def all_to_all(chips: int, vectors: int) -> Messages:
    pairs = [(a, b) for a in range(chips) for b in range(chips) if a != b]
    return messages(*((a, b, vectors, 0) for a, b in pairs))


def carry(
    topology: Topology,
    sent: Messages,
    spec: ReactiveSpec = BASELINE,
    seed: int | None = None,
) -> Carried:
    route = journeys(sent, Routes(topology))
    credit_ps = mean_latency_ps(MACHINE, topology)
    latency_ps = credit_ps[route.link]
    if seed is not None:
        latency_ps = drawn_latency_ps(MACHINE, topology, route, Draws(seed))
    result = simulate_reactive(spec, route, latency_ps=latency_ps, credit_ps=credit_ps)
    return Carried(route, result, latency_ps)


def most_held(carried: Carried, credit_ps: Ints, channels: int) -> int:
    """Return the most places of a buffer in use at once, from the times alone."""
    route, wire_ps = carried.route, carried.result.wire_ps
    next_ps = np.append(wire_ps[1:], 0)
    freed_ps = np.where(route.is_last, wire_ps + carried.latency_ps, next_ps)
    freed_ps += credit_ps[route.link]
    buffer = route.link * channels + np.minimum(route.hop, channels - 1)
    most = 0
    for each in np.unique(buffer):
        rows = buffer == each
        taken = np.sort(wire_ps[rows])
        freed = np.searchsorted(np.sort(freed_ps[rows]), taken, side="right")
        most = max(most, int((np.arange(1, len(taken) + 1) - freed).max()))
    return most


def assert_every_rule_holds(topology: Topology, carried: Carried, places: int) -> None:
    route, wire_ps = carried.route, carried.result.wire_ps
    # A wire carries one packet at a time.
    order = np.lexsort((wire_ps, route.link))
    same_link = route.link[order][1:] == route.link[order][:-1]
    gaps_ps = np.diff(wire_ps[order])[same_link]
    assert (gaps_ps >= BASELINE.vector_ps).all()
    # No packet is sent on before it is there, nor before it is ready.
    onward = np.flatnonzero(~route.is_last)
    there_ps = wire_ps[onward] + carried.latency_ps[onward] + BASELINE.pass_ps
    assert (wire_ps[onward + 1] >= there_ps).all()
    ready_ps = route.messages.ready_ps[route.message] + BASELINE.send_ps
    assert (wire_ps[route.first_row] >= ready_ps).all()
    credit_ps = mean_latency_ps(MACHINE, topology)
    assert most_held(carried, credit_ps, max(1, route.most_hops)) <= places


@given(st.integers(0, 71), st.integers(0, 71))
def test_an_empty_network_takes_links_and_routers_and_nothing_else(
    source: int, target: int
) -> None:
    carried = carry(RACK, messages((source, target, 1, 1_000)))
    assert carried.result.latency_ps.tolist() == [
        BASELINE.unloaded_ps(carried.latency_ps)
    ]
    hops = Routes(RACK).hops(source, target)
    cycles = 201 + 202 + (hops - 1) * (500 - 217)
    # Each part is rounded down to a picosecond.
    links_ps = carried.latency_ps.sum()
    assert carried.result.latency_ps[0] == pytest.approx(
        links_ps + cycles * 1e4 / 9, abs=hops + 2
    )


def test_a_message_is_there_when_its_last_packet_is() -> None:
    alone, five = (carry(NODE, messages((0, 1, n, 0))).result for n in (1, 5))
    assert five.latency_ps[0] - alone.latency_ps[0] == 4 * 26_240


def test_one_hop_of_the_twin_has_the_mean_jitter_in_place_of_a_guard_band() -> None:
    # 650 cycles, SRAM to SRAM, less a guard band of 38 and with a mean jitter of 8;
    # three parts are rounded down to a picosecond.
    carried = carry(NODE, messages((0, 1, 1, 0)))
    assert carried.result.latency_ps[0] == pytest.approx(620 / 900e6 * 1e12, abs=3)


# BookSim2, anynet: eight routers in a full mesh, a terminal each, links of 20 cycles,
# routing delay 0, allocation of channel and switch 1 cycle each, traversal 1, packets
# of one flit, 8 channels of 256 places, uniform traffic that includes oneself. Its law
# without load: link cycles + 3 for each router passed + 3. Recorded at an injection
# rate of 0.0005: least 6, mean 26.26, most 29 cycles. One unit of time is a cycle here.
BOOKSIM = ReactiveSpec(
    vector_ps=1,
    send_ps=4,
    pass_ps=3,
    receive_ps=5,
    buffer_vectors=256,
    virtual_channels=8,
)
BOOKSIM_LEAST, BOOKSIM_MEAN, BOOKSIM_MOST = 6, 26.26, 29
BOOKSIM_LAW_MEAN = 26.125


def booksim_latencies(sent: Messages) -> Ints:
    route = journeys(sent, Routes(NODE))
    result = simulate_reactive(
        BOOKSIM,
        route,
        latency_ps=np.full(len(route.link), 20),
        credit_ps=np.full(len(NODE.source), 20),
    )
    return result.latency_ps


def test_without_load_every_pair_takes_what_booksim2_says() -> None:
    pairs = [(a, b) for a in range(8) for b in range(8)]
    far_apart = [(a, b, 1, 1_000 * k) for k, (a, b) in enumerate(pairs)]
    latencies = booksim_latencies(messages(*far_apart))
    law = [20 * (a != b) + 3 * (1 + (a != b)) + 3 for a, b in pairs]
    assert latencies.tolist() == law
    assert latencies.mean() == BOOKSIM_LAW_MEAN
    assert (latencies.min(), latencies.max()) == (BOOKSIM_LEAST, BOOKSIM_MOST)


def test_light_uniform_traffic_takes_what_booksim2_recorded() -> None:
    sent = uniform_messages(
        np.arange(8), Draws(1), mean_gap_ps=1 / 0.0005, until_ps=10**6, own_chip=True
    )
    latencies = booksim_latencies(sent)
    assert (latencies.min(), latencies.max()) == (BOOKSIM_LEAST, BOOKSIM_MOST)
    # One message in eight takes 6 instead of 29: four deviations of the share.
    noise = 4 * 23 * (7 / 64 / len(sent)) ** 0.5
    assert latencies.mean() == pytest.approx(BOOKSIM_LAW_MEAN, abs=noise)
    assert latencies.mean() == pytest.approx(BOOKSIM_MEAN, rel=0.01)


@pytest.mark.parametrize("load", [0.3, 0.6, 0.9])
def test_a_single_link_queues_as_m_d_1(load: float) -> None:
    sent = uniform_messages(
        np.arange(2), Draws(3), mean_gap_ps=BASELINE.vector_ps / load, until_ps=10**9
    )
    carried = carry(PAIR, sent, AMPLE)
    unloaded_ps = BASELINE.unloaded_ps(mean_latency_ps(MACHINE, PAIR)[:1])
    waited_ps = carried.result.latency_ps.mean() - unloaded_ps
    # Pollaczek and Khinchine: half of what exponential service would wait.
    closed_form_ps = BASELINE.vector_ps * load / (2 * (1 - load))
    assert waited_ps == pytest.approx(closed_form_ps, rel=0.04)


def test_a_full_link_never_pauses_if_buffers_cover_the_round_trip() -> None:
    result = carry(NODE, all_to_all(8, 500), AMPLE).result
    assert (np.diff(result.wire_ps.reshape(-1, 500)) == BASELINE.vector_ps).all()
    assert set(result.latency_ps.tolist()) == {
        BASELINE.unloaded_ps(mean_latency_ps(MACHINE, NODE)[:1])
        + 499 * BASELINE.vector_ps
    }


@pytest.mark.parametrize("places", [1, 4, 16])
def test_too_few_places_send_one_bufferful_each_round_trip(places: int) -> None:
    spec = replace(BASELINE, buffer_vectors=places)
    wire_ps = carry(PAIR, messages((0, 1, 500, 0)), spec).result.wire_ps
    round_trip_ps = 2 * mean_latency_ps(MACHINE, PAIR)[0]
    assert places * BASELINE.vector_ps < round_trip_ps
    assert (wire_ps[places:] - wire_ps[:-places] == round_trip_ps).all()


def test_a_forwarded_packet_holds_its_place_while_it_passes() -> None:
    line = from_networkx(nx.path_graph(3))
    carried = carry(line, messages((0, 2, 400, 0)))
    first = carried.result.wire_ps[carried.route.hop == 0]
    held_ps = 2 * mean_latency_ps(MACHINE, line)[0] + BASELINE.pass_ps
    assert (first[16:] - first[:-16] == held_ps).all()


@pytest.mark.parametrize("offered", [0.5, 0.9, 1.3])
def test_throughput_follows_the_load_up_to_the_bound(offered: float) -> None:
    """Eight chips all to all: the bound is seven wires for each."""
    until_ps = 20_000_000
    gap_ps = BASELINE.vector_ps / 7 / offered
    sent = uniform_messages(
        np.arange(8), Draws(5), mean_gap_ps=gap_ps, until_ps=until_ps
    )
    wire_ps = carry(NODE, sent, AMPLE).result.wire_ps
    settled = (wire_ps >= until_ps // 4) & (wire_ps < until_ps)
    used = settled.sum() * BASELINE.vector_ps / 56 / (until_ps - until_ps // 4)
    assert used == pytest.approx(min(offered, 1), rel=0.02)
    # As many vectors as there are wires may begin in the window and end after it.
    assert used <= 1 + BASELINE.vector_ps / (until_ps - until_ps // 4)


@pytest.mark.parametrize(("offered", "carried"), [(0.7, 0.7), (1.4, 1.0)])
def test_the_busiest_link_carries_its_share_until_it_is_full(
    offered: float, carried: float
) -> None:
    pairs = all_to_all(72, 1)
    route = journeys(pairs, Routes(RACK))
    load = np.bincount(route.link)
    until_ps = 12_000_000
    # With a message of every pair in this time, the busiest link would never pause.
    full_ps = int(load.max()) * BASELINE.vector_ps
    sent = uniform_messages(
        np.arange(72), Draws(2), mean_gap_ps=full_ps / 71 / offered, until_ps=until_ps
    )
    result = carry(RACK, sent, AMPLE)
    settled = (result.result.wire_ps >= until_ps // 3) & (
        result.result.wire_ps < until_ps
    )
    busiest = np.flatnonzero(load == load.max())
    on_busiest = settled & np.isin(result.route.link, busiest)
    window_ps = len(busiest) * (until_ps - until_ps // 3)
    used = on_busiest.sum() * BASELINE.vector_ps / window_ps
    assert used == pytest.approx(carried, rel=0.05)
    assert used <= 1 + BASELINE.vector_ps / (until_ps - until_ps // 3)


@given(
    seed=st.integers(0, 2**32),
    places=st.integers(1, 20),
    vectors=st.lists(st.integers(1, 9), min_size=30, max_size=30),
)
def test_no_wire_no_buffer_and_no_packet_is_ever_used_twice(
    seed: int, places: int, vectors: list[int]
) -> None:
    ends = np.random.default_rng(seed).integers(0, 72, size=(2, 30))
    # Few targets, so that packets meet.
    sent = Messages(
        source=ends[0],
        target=ends[1] % 3,
        vectors=np.array(vectors),
        ready_ps=np.zeros(30, dtype=np.int64),
    )
    spec = replace(BASELINE, buffer_vectors=places)
    carried = carry(RACK, sent, spec, seed)
    assert_every_rule_holds(RACK, carried, places)


@pytest.mark.parametrize("places", [1, 2, 16])
def test_every_packet_of_an_all_to_all_crosses_its_way_once(places: int) -> None:
    spec = replace(BASELINE, buffer_vectors=places)
    sent = all_to_all(72, 1)
    carried = carry(RACK, sent, spec)
    assert_every_rule_holds(RACK, carried, places)
    # As many crossings of each link as the routes say, each at a time of its own.
    expected = np.zeros(len(RACK.source), dtype=np.int64)
    routes = Routes(RACK)
    for pair in zip(sent.source.tolist(), sent.target.tolist(), strict=True):
        expected[list(routes.path(*pair))] += 1
    wire = carried.route.link * 2**40 + carried.result.wire_ps
    crossed = np.unique(wire) // 2**40
    assert np.bincount(crossed, minlength=len(expected)).tolist() == expected.tolist()


def test_those_who_wait_for_a_wire_take_turns() -> None:
    """Two chips send through a third, which has packets for the same wire."""
    star = from_networkx(nx.Graph([(0, 3), (1, 3), (2, 3)]))
    sent = messages((0, 2, 60, 0), (1, 2, 60, 0), (3, 2, 300, 0))
    carried = carry(star, sent, AMPLE)
    out = carried.route.link == Routes(star).path(3, 2)[0]
    order = np.argsort(carried.result.wire_ps[out])
    source = carried.route.message[np.repeat(np.arange(420), carried.route.hops)][out]
    turns = source[order]
    begin = int(np.flatnonzero(turns == 1)[0]) + 1
    assert turns[begin : begin + 150].reshape(-1, 3).tolist() == [[2, 0, 1]] * 50


def test_the_same_seed_gives_the_same_times_and_another_gives_others() -> None:
    sent = all_to_all(8, 3)
    first, again, other = (carry(NODE, sent, seed=seed).result for seed in (1, 1, 2))
    assert first.wire_ps.tobytes() == again.wire_ps.tobytes()
    assert first.delivered_ps.tobytes() == again.delivered_ps.tobytes()
    assert first.delivered_ps.tobytes() != other.delivered_ps.tobytes()


def around_the_ring() -> Messages:
    """Every chip sends many packets to the one across, all the same way round."""
    sent = messages(*((a, (a + 2) % 4, 50, 0) for a in range(4)))
    paths = [Routes(RING).path(a, (a + 2) % 4) for a in range(4)]
    assert all(len(path) == 2 for path in paths)
    return sent


def one_way_round(sent: Messages) -> Journeys:
    route = journeys(sent, Routes(RING))
    following = [RING.links_between(a, (a + 1) % 4)[0] for a in range(4)]
    source = np.repeat(sent.source[route.message], route.hops)
    return replace(route, link=np.array(following)[(source + route.hop) % 4])


def test_one_channel_on_a_ring_deadlocks_and_says_who_waits_for_whom() -> None:
    route = one_way_round(around_the_ring())
    credit_ps = mean_latency_ps(MACHINE, RING)
    times = {"latency_ps": credit_ps[route.link], "credit_ps": credit_ps}
    with pytest.raises(
        SpecError, match=r"(link \d channel 0 waits for ){4}.*virtual_channels to 2"
    ):
        simulate_reactive(replace(BASELINE, virtual_channels=1), route, **times)
    result = simulate_reactive(BASELINE, route, **times)
    assert (result.wire_ps >= 0).all()


def test_nothing_to_carry_is_carried() -> None:
    none = np.zeros(0, dtype=np.int64)
    nothing = Messages(source=none, target=none, vectors=none, ready_ps=none)
    assert carry(NODE, nothing).result.latency_ps.tolist() == []


@pytest.mark.parametrize(
    ("key", "value"),
    [("buffer_vectors", 0), ("virtual_channels", 0), ("vector_ps", 0), ("send_ps", -1)],
)
def test_a_router_without_wire_or_buffer_is_refused(key: str, value: int) -> None:
    with pytest.raises(SpecError, match=f"{key} {value} must"):
        replace(BASELINE, **{key: value})


def test_a_router_that_takes_longer_than_both_ends_is_refused() -> None:
    with pytest.raises(SpecError, match="before it left"):
        replace(BASELINE, pass_ps=BASELINE.send_ps + BASELINE.receive_ps + 1)
