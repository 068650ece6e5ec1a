from collections.abc import Mapping

import numpy as np
import pytest

from compiler.compile_decode import compile_token
from serving.cycle_time import CycleTime
from serving.pairing.draft import draft_legs
from serving.pairing.lanes import Leg, Side, run_lanes
from sharding.parallelism.strategy import Strategy
from sharding.planner.plan import plan_sharding
from sharding.weights.task import Task
from specs.machine import load_machine
from specs.model import load_model
from specs.pairing import Drafter, PairingSpec
from topologies.selection import select_topology

NS = CycleTime.of(1_000_000_000)
LINK = {"ports": 1, "port_gbps": 8, "latency_ns": 100}
INSTANT = {"ports": 1, "port_gbps": None, "latency_ns": 0}


def paired(
    drafter: Drafter, link: Mapping[str, int | None], drafted: int
) -> PairingSpec:
    return PairingSpec.model_validate(
        {"link": link, "drafter": drafter, "drafted_tokens": drafted}
    )


@pytest.mark.parametrize("drafter", list(Drafter))
def test_drafts_cross_and_chosen_tokens_come_back(drafter: Drafter) -> None:
    pairing = paired(drafter, LINK, 4)
    legs = draft_legs(
        pairing, machine_leg=Leg(Side.MACHINE, 50), device_ps=30_000, users=3
    )
    run = run_lanes(legs * 2, pairing, NS, lanes=1)
    # Four drafted tokens of four bytes for three users, and one token more back.
    there, back = 48, 60
    step_ns = 50 + 30 + there + back + 2 * 100
    assert run.step_ps(4) == 1000 * step_ns
    assert sorted(run.received_bytes.values()) == [2 * there, 2 * back]
    assert run.sent_bytes == run.received_bytes
    first = Side.MACHINE if drafter is Drafter.MACHINE else Side.DEVICES
    assert legs[0].side is first


def test_without_drafts_instant_devices_leave_the_plain_machine() -> None:
    machine, strategy = load_machine("lpx"), Strategy(tensor=4, pipeline=2)
    topology = select_topology(8, "lpx", ports_per_chip=96)
    task = Task(load_model("gpt2"), machine, 4, 64, 1).split_as(strategy)
    plan = plan_sharding(task, strategy, topology.active.astype(np.int64))
    token_cycles = compile_token(plan, topology).latency_cycles
    pairing = paired(Drafter.DEVICES, INSTANT, 0)
    legs = draft_legs(
        pairing, machine_leg=Leg(Side.MACHINE, token_cycles), device_ps=0, users=1
    )
    clock = CycleTime.of(machine.chip.clock_hz)
    run = run_lanes(legs * 5, pairing, clock, lanes=1)
    assert run.end_ps[0, 3::4].tolist() == [
        clock.ps(token_cycles * count) for count in range(1, 6)
    ]
