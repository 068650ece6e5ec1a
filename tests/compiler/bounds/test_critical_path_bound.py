from dataclasses import replace

import numpy as np
import pytest

from compiler.bounds.congestion_bound import congestion_bound
from compiler.bounds.critical_path_bound import CriticalPathBound, least_latency_cycles
from compiler.bounds.exchange_bound import ExchangeBoundCache
from compiler.compile_decode import compile_token
from compiler.passes.model_pass import model_pass
from compiler.scheduling.pass_scheduler import pass_timeline
from sharding.parallelism.strategy import parse_strategy
from sharding.planner.plan import plan_sharding
from sharding.weights.task import Task
from specs.machine import load_machine
from specs.model import load_model
from topologies.selection import select_topology

RACK = select_topology(72)
GPT2 = load_model("gpt2").with_settings({"layers": 4}, "test")
STRATEGIES = (
    "tensor=8,pipeline=9",
    "tensor=8,pipeline=3",
    "tensor=8,pipeline=3,attention=4",
    "tensor=16,pipeline=4",
    "tensor=12,pipeline=1",
    "tensor=1,pipeline=7",
)


def test_what_is_known_of_other_plans_does_not_change_a_bound() -> None:
    machine = load_machine()
    links = congestion_bound(machine, RACK, 0)
    together = CriticalPathBound(links, ExchangeBoundCache(links))
    chips = RACK.active.astype(np.int64)
    for text in STRATEGIES + STRATEGIES[::-1]:
        strategy = parse_strategy(text, 72)
        task = Task(GPT2, machine, 1, 128, 1).split_as(strategy)
        plan = plan_sharding(task, strategy, chips)
        alone = least_latency_cycles(plan, links)
        assert together.least_latency(plan) == alone
        assert alone <= compile_token(plan, RACK).latency_cycles


@pytest.mark.parametrize("sequences", [2, 3, 9])
def test_no_schedule_of_several_sequences_beats_the_bound(sequences: int) -> None:
    machine = load_machine()
    strategy = parse_strategy("tensor=8,pipeline=3", 72)
    task = Task(GPT2, machine, 8, 128, 1)
    chips = RACK.active.astype(np.int64)
    plan = plan_sharding(task, strategy, chips, sequences=sequences)
    links = congestion_bound(machine, RACK, 0)
    least = least_latency_cycles(plan, links)
    assert least_latency_cycles(replace(plan, sequences=1), links) <= least
    assert least <= compile_token(plan, RACK).latency_cycles


def test_sequences_follow_each_other_no_faster_than_the_slowest_stage() -> None:
    machine = load_machine()
    strategy = parse_strategy("tensor=8,pipeline=3", 72)
    chips = RACK.active.astype(np.int64)
    task = Task(GPT2, machine, 8, 128, 1)
    plan = plan_sharding(task, strategy, chips, sequences=9)
    links = congestion_bound(machine, RACK, 0)
    timeline = pass_timeline(model_pass(plan), RACK, links, interval_cycles=0)
    interval = max(timeline.stage_cycles) + machine.hac.epoch_cycles
    assert least_latency_cycles(plan, links) == 9 * interval
