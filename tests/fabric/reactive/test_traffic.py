import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fabric.random_streams import Draws
from fabric.reactive.traffic import (
    Messages,
    all_to_all,
    drawn_latency_ps,
    journeys,
    mean_latency_ps,
    uniform_messages,
)
from specs.errors import SpecError
from specs.machine import load_machine
from topologies.routing.static_routes import Routes
from topologies.selection import select_topology

MACHINE = load_machine()
NODE, RACK = select_topology(8), select_topology(72)
# A chip's messages a second are a Poisson number of this mean.
EXPECTED = 10_000


def sent_by(chips: int, *, own_chip: bool = False) -> Messages:
    return uniform_messages(
        np.arange(chips),
        Draws(1),
        mean_gap_ps=1_000,
        until_ps=1_000 * EXPECTED,
        own_chip=own_chip,
    )


def test_messages_come_at_the_rate_asked_for_and_in_order_of_time() -> None:
    sent = sent_by(8)
    assert (np.diff(sent.ready_ps) >= 0).all()
    assert 0 <= sent.ready_ps[0] <= sent.ready_ps[-1] < 1_000 * EXPECTED
    count = np.bincount(sent.source, minlength=8)
    assert count == pytest.approx(np.full(8, EXPECTED), abs=4 * EXPECTED**0.5)


def test_gaps_are_those_of_a_poisson_process() -> None:
    sent = sent_by(8)
    gaps = np.diff(sent.ready_ps[sent.source == 3])
    # Exponential: deviation and mean are equal.
    assert gaps.std() == pytest.approx(gaps.mean(), rel=0.05)
    assert np.median(gaps) == pytest.approx(np.log(2) * 1_000, rel=0.05)


@pytest.mark.parametrize("own_chip", [False, True])
def test_every_other_chip_is_equally_likely(own_chip: bool) -> None:
    sent = sent_by(8, own_chip=own_chip)
    count = np.zeros((8, 8))
    np.add.at(count, (sent.source, sent.target), 1)
    assert np.diag(count).any() == own_chip
    chosen = count[count > 0]
    assert len(chosen) == (64 if own_chip else 56)
    mean = chosen.mean()
    assert chosen == pytest.approx(np.full(len(chosen), mean), abs=4.5 * mean**0.5)


def test_more_chips_change_no_other_chips_times() -> None:
    few, many = sent_by(2), sent_by(8)
    for chip in range(2):
        assert np.array_equal(
            few.ready_ps[few.source == chip], many.ready_ps[many.source == chip]
        )


@given(st.lists(st.tuples(*[st.integers(0, 71)] * 2, st.integers(1, 4)), max_size=20))
def test_journeys_are_the_routes_packet_by_packet(
    rows: list[tuple[int, int, int]],
) -> None:
    columns = np.array(rows, dtype=np.int64).reshape(-1, 3).T
    zeros = np.zeros(len(rows), dtype=np.int64)
    sent = Messages(
        source=columns[0], target=columns[1], vectors=columns[2], ready_ps=zeros
    )
    way = journeys(sent, Routes(RACK))
    expected = [
        (message, hop, link)
        for message, (source, target, vectors) in enumerate(rows)
        for _ in range(vectors)
        for hop, link in enumerate(Routes(RACK).path(source, target))
    ]
    message = np.repeat(way.message, way.hops)
    found = np.array([message, way.hop, way.link]).T
    assert list(map(tuple, found.tolist())) == expected
    assert len(way.message) == columns[2].sum()


def test_the_mean_latency_is_the_one_that_a_forward_contains() -> None:
    cycles = mean_latency_ps(MACHINE, NODE) * 900e6 / 1e12
    assert cycles == pytest.approx(np.full(56, 217), abs=0.01)


def test_drawn_latencies_lie_about_their_mean() -> None:
    way = journeys(sent_by(8), Routes(NODE))
    drawn = (
        drawn_latency_ps(MACHINE, NODE, way, Draws(2))
        - mean_latency_ps(MACHINE, NODE)[way.link]
    )
    # The mean jitter is rounded to whole cycles of 1111 ps, the span is 19 of them.
    assert abs(drawn.mean()) < 1111
    assert 2_000 < drawn.std() < 5_000


def test_nobody_to_send_to_and_no_gap_are_refused() -> None:
    with pytest.raises(SpecError, match="1 chip has nobody to send to"):
        sent_by(1)
    with pytest.raises(SpecError, match="mean_gap_ps 0 must be above 0"):
        uniform_messages(np.arange(2), Draws(1), mean_gap_ps=0, until_ps=1)


def test_an_all_to_all_is_every_ordered_pair_once_the_longest_ways_first() -> None:
    rack = select_topology(72)
    routes = Routes(rack)
    sent = all_to_all(rack, routes, 3)
    ends = sent.source.tolist(), sent.target.tolist()
    pairs = set(zip(*ends, strict=True))
    assert len(pairs) == len(sent) == 72 * 71
    hops = [routes.hops(*pair) for pair in zip(*ends, strict=True)]
    assert hops == sorted(hops, reverse=True)
