from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compiler.bounds.block_bound import BlockBoundCache
from compiler.bounds.congestion_bound import CongestionBound, congestion_bound
from compiler.bounds.exchange_bound import ExchangeBoundCache
from compiler.bounds.placed_bound import PlacedSplitBound
from compiler.bounds.strategy_bound import split_bound
from compiler.collectives.phases import adding_up, phase
from compiler.compile_collective import compile_collective
from compiler.compile_decode import compile_token
from compiler.cost.link_timing import link_timing, vectors_of
from compiler.ir.messages import Message, MessageTable
from compiler.passes.model_pass import model_pass
from compiler.routing.message_scheduler import MessageScheduler
from compiler.routing.striping import Stripes, striped
from compiler.scheduling.pass_scheduler import pass_timeline
from compiler.verify import verify
from fabric.replay import replay
from fabric.simulation import simulate
from sharding.parallelism.strategy import Strategy
from sharding.planner.plan import plan_sharding
from sharding.weights.task import Task
from specs.machine import load_machine
from specs.model import load_model
from topologies.builders.lpx import lpx_topology
from topologies.routing.minimal_paths import minimal_paths
from topologies.routing.parallel_links import Lanes
from topologies.routing.static_routes import Routes
from workloads.collective import Collective

RACK = lpx_topology(3)
LPX = load_machine("lpx")
LANES = Lanes(RACK)
TIMING = link_timing(RACK, LPX, 40)
chips = st.integers(0, RACK.chips - 1)
messages = st.builds(Message, chips, chips, st.integers(1, 9000)).filter(
    lambda message: message.source != message.target
)
phases = st.lists(messages, min_size=1, max_size=30).map(MessageTable.of)
small = settings(max_examples=15)


def cables(most: int) -> dict[str, object]:
    return {"link.stripe_cables": most}


@given(phases, st.integers(1, 4))
def test_stripes_are_all_of_a_message_and_none_is_void(
    phase: MessageTable, most: int
) -> None:
    source, target, vectors = phase.source, phase.target, phase.payload_bytes
    paths = minimal_paths(RACK, source, target)
    parts = striped(LANES, LPX.with_settings(cables(most)), paths, vectors)
    whole = np.bincount(parts.message, weights=parts.vectors)
    assert whole.tolist() == vectors.tolist()
    assert parts.vectors.min() > 0
    assert max(Counter(parts.message.tolist()).values()) <= most


def test_ten_vectors_over_four_cables_are_two_and_three_by_turns() -> None:
    paths = minimal_paths(RACK, np.array([0]), np.array([1]))
    parts = striped(LANES, LPX.with_settings(cables(4)), paths, np.array([10]))
    assert isinstance(parts, Stripes)
    assert parts.vectors.tolist() == [2, 3, 2, 3]
    assert len(set(parts.path[:, 0].tolist())) == 4
    assert set(RACK.target[parts.path[:, 0]].tolist()) == {1}


@given(phases)
def test_every_message_reaches_its_target_in_parts(phase: MessageTable) -> None:
    sent = MessageScheduler(RACK, LPX, Routes(RACK), TIMING).transport(phase)
    arrived = Counter[int]()
    last = np.ones(len(sent.link), dtype=bool)
    last[sent.previous[sent.previous >= 0]] = False
    for link, vectors in zip(sent.link[last], sent.vectors[last], strict=True):
        arrived[int(RACK.target[link])] += int(vectors)
    wanted = Counter[int]()
    for message in phase:
        wanted[message.target] += vectors_of(LPX, message.payload_bytes)
    assert arrived == wanted


@given(phases, st.integers(1, 4))
def test_no_phase_is_carried_sooner_than_its_bound(
    phase: MessageTable, most: int
) -> None:
    machine = LPX.with_settings(cables(most))
    sent = MessageScheduler(RACK, machine, Routes(RACK), TIMING).transport(phase)
    assert CongestionBound(RACK, machine, TIMING).cycles(phase) <= sent.duration_cycles


@pytest.mark.parametrize("strategy", ["2x3", "8x2", "16x1", "16x3"])
@pytest.mark.parametrize("most", [1, 4])
def test_no_token_beats_the_bounds(strategy: str, most: int) -> None:
    tensor, pipeline = map(int, strategy.split("x"))
    machine = LPX.with_settings(cables(most))
    model = load_model("llama-3-8b").with_settings({"layers": 3}, "test")
    task = Task(model, machine, tensor, 64, 1)
    members = RACK.active.astype(np.int64)
    plan = plan_sharding(task, Strategy(tensor=tensor, pipeline=pipeline), members)
    links = congestion_bound(machine, RACK, 0)
    anywhere = split_bound(task, pipeline, BlockBoundCache())
    width = PlacedSplitBound(anywhere, members, links, ExchangeBoundCache(links))
    placed = width.bound(pipeline, head_groups=True)
    schedule = compile_token(plan, RACK)
    bounds = [
        anywhere.token_cycles(pipeline),
        placed.token_cycles(pipeline),
        pass_timeline(model_pass(plan), RACK, links, interval_cycles=0).token_cycles,
        schedule.program.token_cycles,
    ]
    assert bounds == sorted(bounds)
    assert schedule.lower_bound_cycles <= schedule.latency_cycles
    verify(schedule.program, RACK, machine)


@given(
    kind=st.sampled_from(list(Collective)),
    members=st.sampled_from([2, 16, 40, 48]),
    payload_bytes=st.integers(1, 200_000),
)
@small
def test_collectives_over_parallel_cables_are_certified_and_run_alike(
    kind: Collective, members: int, payload_bytes: int
) -> None:
    count = 2 if kind is Collective.POINT_TO_POINT else members
    schedule = compile_collective(
        RACK,
        LPX,
        kind,
        RACK.active[:count].astype(np.int64),
        payload_bytes=payload_bytes,
    )
    verify(schedule.program, RACK, LPX, plan=schedule.plan)
    reference, fast = (
        engine(schedule.program, RACK, LPX, seed=3, tokens=1)
        for engine in (simulate, replay)
    )
    assert reference.trajectory_hash == fast.trajectory_hash
    assert fast.underflows == fast.overflows == 0


@pytest.mark.parametrize("algorithm", ["two-step", "hierarchical"])
def test_a_group_reduces_a_large_tensor_over_all_cables(algorithm: str) -> None:
    group = np.arange(16, dtype=np.int64)
    size = 2**24
    took = [
        compile_collective(
            RACK,
            LPX.with_settings(cables(most)),
            "all-reduce",
            group,
            payload_bytes=size,
            algorithm=algorithm,
        ).latency_cycles
        for most in (1, 2, 4)
    ]
    assert took[0] > 1.9 * took[1] > 3.6 * took[2]
    # Each chip sends and receives 15/16 of the tensor twice, over 60 links.
    busbw = size * 2 * 15 / 16 / (took[2] / LPX.chip.clock_hz) / 1e9
    assert 0.9 < busbw / (60 * LPX.line.payload_gb_per_s) < 1


def test_parts_of_one_partial_sum_are_added_as_one() -> None:
    source, target = np.array([1, 1, 2]), np.zeros(3, dtype=np.int64)
    (parts,) = phase(source, target, np.array([3, 3, 6]) * 320, adds=True)
    (whole,) = phase(source[1:], target[1:], 6 * 320, adds=True)
    ours, theirs = adding_up(LPX, parts), adding_up(LPX, whole)
    assert ours.chips.tolist() == theirs.chips.tolist()
    assert ours.cycles.tolist() == theirs.cycles.tolist()
