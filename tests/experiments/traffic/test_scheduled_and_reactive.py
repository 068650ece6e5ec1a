import numpy as np
import pandas as pd
import pytest

from experiments.traffic.scheduled_and_reactive import (
    TrafficCase,
    exchange_samples,
    uniform_samples,
)
from experiments.traffic.traffic_schedule import network
from specs.machine import load_machine
from topologies.selection import select_topology

NODE = network(select_topology(8), load_machine())
RACK = network(select_topology(72), load_machine())
CASE = TrafficCase("rack", 72, 1, 2, (0.5, 0.9), 1, 5)


def test_a_schedule_is_the_same_in_every_run_and_a_reactive_network_is_not() -> None:
    rows = {
        each.row["machine"]: each.row for each in exchange_samples(RACK, CASE, seed=1)
    }
    assert rows["scheduled"]["between_runs_ns"] == 0
    assert rows["reactive 16"]["between_runs_ns"] > 10
    messages = [row["messages"] for row in rows.values()]
    assert messages == [72 * 71, 2 * 72 * 71, 2 * 72 * 71]


def test_what_a_scheduled_hop_is_slower_is_its_guard_band() -> None:
    """In a node no message waits for another: what differs is guard and jitter."""
    scheduled, *reactive = exchange_samples(NODE, CASE._replace(chips=8), seed=1)
    guard_ns = NODE.timing.guard_cycles / 0.9
    for each in reactive:
        least, most = each.latency_ns.min(), each.latency_ns.max()
        assert scheduled.latency_ns.max() - guard_ns <= least + 1
        # Jitter is part of the guard band, so it is never late.
        assert most < scheduled.latency_ns.min()


def test_every_load_is_delivered_and_no_timetable_has_a_tail() -> None:
    case = CASE._replace(loads=(0.2, 0.6), time_us=40)
    rows = pd.DataFrame([each.row for each in uniform_samples(NODE, case, seed=1)])
    offered = rows["load_percent"] / 100 * NODE.bound_gb_per_s
    told = rows["machine"] != "timetable"
    assert rows["delivered_gb_per_s"][told].to_numpy() == pytest.approx(
        offered[told].to_numpy(), rel=0.02
    )
    fixed = rows[~told]
    assert (fixed["delivered_gb_per_s"] >= offered[~told]).all()
    assert (fixed["max_ns"] == fixed["p50_ns"]).all()
    by_machine = rows[told].pivot_table("p99_ns", "load_percent", "machine")
    assert (np.diff(by_machine, axis=0) > 0).all()
