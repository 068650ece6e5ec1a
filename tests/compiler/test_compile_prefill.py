from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compiler.compile_decode import compile_token
from compiler.compile_prefill import Prefill, compile_prefill
from compiler.prefill.chunk_scheduler import schedule_chunks
from compiler.scheduling.plan_scheduler import PlanScheduler
from compiler.verify import verify
from fabric.replay import replay
from fabric.results.result import RunResult
from fabric.simulation import simulate
from sharding.parallelism.strategy import Strategy
from sharding.planner.chunked_prefill import chunk_plans, pass_plan
from sharding.planner.plan import ShardingPlan, plan_sharding
from sharding.weights.task import Task
from specs.errors import PlanError, VerificationError
from specs.machine import load_machine
from specs.model import load_model
from specs.units import PS_PER_S
from topologies.selection import select_topology
from topologies.topology import Topology

IDEAL = (("clock.model", "ideal"), ("link.jitter_cycles", 0))


@cache
def planned(
    width: int, stages: int, settings: tuple[tuple[str, object], ...] = ()
) -> tuple[ShardingPlan, Topology]:
    machine = load_machine().with_settings(dict(settings))
    topology = select_topology(width * stages, "auto")
    plan = plan_sharding(
        Task(load_model("gpt2"), machine, width, 256, 1),
        Strategy(tensor=width, pipeline=stages),
        topology.active.astype(np.int64),
    )
    return plan, topology


@cache
def prefilled(width: int, stages: int, prompt: int, chunk: int) -> Prefill:
    plan, topology = planned(width, stages)
    return compile_prefill(plan, topology, prompt, chunk)


shapes = st.sampled_from([(1, 1), (2, 1), (4, 3), (8, 2), (2, 12)])


@settings(max_examples=12)
@given(shape=shapes, prompt=st.integers(1, 96), chunk=st.integers(8, 64))
def test_a_pass_keeps_every_rule_and_beats_no_bound(
    shape: tuple[int, int], prompt: int, chunk: int
) -> None:
    prefill = prefilled(*shape, prompt, chunk)
    schedule = prefill.schedule
    machine = schedule.plan.task.machine
    verify(schedule.program, schedule.topology, machine, plan=schedule.plan)
    assert schedule.lower_bound_cycles <= schedule.latency_cycles
    assert schedule.breakdown.total == schedule.latency_cycles
    assert prefill.chunks == -(-prompt // min(chunk, prompt))


def test_a_prompt_keeps_what_its_largest_chunk_does() -> None:
    # One layer of one key/value head, whose queries attend to four positions.
    sizes = {"layers": 1, "window_tokens": 4, "windowed_layers": (0,), "kv_heads": 1}
    model = load_model("gpt2").model_copy(update=sizes)
    topology = select_topology(1, "auto")
    plan = plan_sharding(
        Task(model, load_machine(), 1, 12, 1),
        Strategy(tensor=1, pipeline=1),
        topology.active.astype(np.int64),
    )
    resident = compile_prefill(plan, topology, 10, 3).schedule.program.resident
    # Three queries attend to six positions, a token to four: a key and a value each of
    # 64 elements in FP16.
    assert plan.stages[0].memory.kv_cache.tolist() == [4 * 2 * 64 * 2]
    assert resident.kv_cache[0] == 6 * 2 * 64 * 2
    assert resident.activations[0] == 3 * 768 * 2


@settings(max_examples=8)
@given(shape=shapes, prompt=st.integers(1, 48), more=st.integers(1, 40))
def test_a_longer_prompt_takes_longer(
    shape: tuple[int, int], prompt: int, more: int
) -> None:
    shorter = prefilled(*shape, prompt, 16).schedule.latency_cycles
    assert prefilled(*shape, prompt + more, 16).schedule.latency_cycles >= shorter


@pytest.mark.parametrize("context", [1, 7, 40])
def test_one_position_a_chunk_the_last_one_costs_a_decode_token(context: int) -> None:
    # Chunks of a prompt run beside each other, not beside exchanges.
    plan, topology = planned(4, 3, (*IDEAL, ("compiler.overlap", False)))
    task = plan.task._replace(context=context)
    token = compile_token(pass_plan(plan, task), topology)
    whole = compile_prefill(pass_plan(plan, task), topology, context, 1)
    if context == 1:
        assert whole.schedule.latency_cycles == token.latency_cycles
    own = token.timeline.spent
    assert whole.schedule.timeline.spent.compute == own.compute
    assert whole.schedule.timeline.spent.link == own.link


@pytest.mark.parametrize("execute", [simulate, replay])
def test_without_drift_the_pass_takes_what_the_schedule_says(
    execute: Callable[..., RunResult],
) -> None:
    plan, topology = planned(4, 3, IDEAL)
    schedule = compile_prefill(plan, topology, 70, 16).schedule
    machine = plan.task.machine
    row = execute(schedule.program, topology, machine, seed=1, tokens=1).iterations[0]
    taken = (row.end_ps - row.start_ps) * machine.chip.clock_hz / PS_PER_S
    assert round(taken) == schedule.latency_cycles


@pytest.mark.parametrize(("width", "stages"), [(4, 3), (8, 2), (2, 12)])
def test_both_engines_agree_on_a_pass(width: int, stages: int) -> None:
    schedule = prefilled(width, stages, 80, 16).schedule
    machine = schedule.plan.task.machine
    one, other = (
        run(schedule.program, schedule.topology, machine, seed=3, tokens=1)
        for run in (simulate, replay)
    )
    assert one.trajectory_hash == other.trajectory_hash
    assert not one.underflows + one.overflows


def test_chunks_overlap_in_the_stages() -> None:
    prefill = prefilled(2, 12, 96, 8)
    alone = prefilled(2, 12, 8, 8).schedule.latency_cycles
    assert prefill.chunks == 12
    assert prefill.schedule.latency_cycles < prefill.chunks * alone / 3


def test_a_prompt_is_no_slower_than_by_hand_count() -> None:
    plan, topology = planned(2, 12)
    prefill = compile_prefill(plan, topology, 256)
    stages = len(plan.stages)
    last = chunk_plans(plan, 256, prefill.chunk_tokens)[-1]
    (alone,) = PlanScheduler(plan, topology).timelines([last], 0)
    # A chunk takes so long in each stage, transfers included.
    stage_cycles = alone.token_cycles / stages
    by_hand = stage_cycles * (prefill.chunks + stages - 1)
    assert prefill.schedule.latency_cycles <= 1.15 * by_hand


def test_chunks_of_a_stage_overlap_as_far_as_they_are_stated_to_be_apart() -> None:
    schedule = prefilled(2, 12, 96, 8).schedule
    machine = schedule.plan.machine
    verify(schedule.program, schedule.topology, machine)
    # Without what says which chunk an operator is of, all are of one.
    mute = replace(schedule.program, dataflow=None)
    with pytest.raises(VerificationError, match="an operand is late"):
        verify(mute, schedule.topology, machine)


def test_several_chunks_in_a_stage_are_faster_where_many_pass_few_stages() -> None:
    plan, topology = planned(4, 3)
    whole = compile_prefill(plan, topology, 256, 16).schedule
    interval = whole.program.deskews.interval_cycles
    scheduler = PlanScheduler(plan, topology, overlaps=False)
    one = schedule_chunks(
        scheduler.timelines(chunk_plans(plan, 256, 16), interval),
        topology=topology,
        machine=plan.machine,
        timing=scheduler.timing(interval),
        stages=[stage.chips for stage in plan.stages],
        interval_cycles=interval,
        together=1,
    )
    assert whole.latency_cycles < 0.9 * one.timeline.token_cycles


def test_the_chosen_chunk_is_no_slower_than_its_neighbours() -> None:
    plan, topology = planned(2, 12)
    chosen = compile_prefill(plan, topology, 128)
    assert chosen.chunk_tokens in (8, 16, 32, 64, 128)
    taken = chosen.schedule.latency_cycles
    for chunk in (chosen.chunk_tokens // 2, chosen.chunk_tokens * 2):
        if 8 <= chunk <= 128:
            other = prefilled(2, 12, 128, chunk).schedule.latency_cycles
            assert taken <= other


def test_an_encoder_has_no_prompt() -> None:
    machine = load_machine()
    topology = select_topology(8, "auto")
    plan = plan_sharding(
        Task(load_model("bert-base"), machine, 8, 128, 1),
        Strategy(tensor=8, pipeline=1),
        topology.active.astype(np.int64),
    )
    with pytest.raises(PlanError, match="leave --prompt out"):
        compile_prefill(plan, topology, 64)
