"""Reactive networks of a machine, and latencies of messages in them."""

import numpy as np
import pytest

from fabric.reactive.machine_latency import (
    reactive_latency_ns,
    reactive_specs,
    unloaded_latency_ns,
)
from fabric.reactive.traffic import all_to_all, journeys
from specs.machine import load_machine
from topologies.routing.static_routes import Routes
from topologies.selection import select_topology

MACHINE, NODE = load_machine(), select_topology(8)
ROUTES = Routes(NODE)


def test_enough_places_are_those_of_a_credits_round_trip() -> None:
    # 717 cycles of link, router and link again, at 23.6 cycles a vector.
    assert {
        name: spec.buffer_vectors
        for name, spec in reactive_specs(MACHINE, NODE).items()
    } == {
        "reactive 16": 16,
        "reactive 31": 31,
    }


def test_in_an_empty_node_all_pairs_take_about_as_long() -> None:
    latency_ns = unloaded_latency_ns(MACHINE, ROUTES, NODE)
    assert len(latency_ns) == 8 * 7
    # Links differ by the mean of their jitter, of at most 19 cycles.
    assert max(latency_ns.values()) - min(latency_ns.values()) < 19 / 0.9


def test_a_lone_message_of_each_pair_takes_the_unloaded_latency() -> None:
    sent = all_to_all(NODE, ROUTES, 1)
    spec = reactive_specs(MACHINE, NODE)["reactive 31"]
    drawn_ns = reactive_latency_ns(MACHINE, NODE, spec, journeys(sent, ROUTES), seed=1)
    pairs = zip(sent.source.tolist(), sent.target.tolist(), strict=True)
    unloaded_ns = unloaded_latency_ns(MACHINE, ROUTES, NODE)
    delay_ns = drawn_ns - np.array([unloaded_ns[pair] for pair in pairs])
    # In a node no message meets another: what differs is jitter.
    assert delay_ns == pytest.approx(0, abs=19 / 0.9)
    assert np.abs(delay_ns).max() > 0
