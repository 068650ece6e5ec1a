"""Tokens of drawn models whose products run beside exchanges, against bounds."""

from collections.abc import Callable

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from compiler.bounds.block_bound import BlockBoundCache
from compiler.bounds.congestion_bound import congestion_bound
from compiler.bounds.critical_path_bound import least_latency_cycles
from compiler.bounds.strategy_bound import split_bound
from compiler.compile_decode import compile_token
from compiler.cost.roofline import lower_bound_cycles
from compiler.ir.schedule import Schedule
from compiler.ir.timeline import ComputeEntry
from compiler.verify import verify
from sharding.parallelism.strategy import Strategy
from sharding.planner.plan import plan_sharding
from sharding.weights.task import Task
from specs.machine import load_machine
from specs.model import ModelSpec
from topologies.selection import select_topology

Compiled = Callable[[bool], Schedule]


@st.composite
def pairs(draw: st.DrawFn) -> Compiled:
    """A compiler of a drawn token, with products wide enough to hide an exchange."""
    kv_heads = draw(st.integers(1, 8))
    model = ModelSpec(
        name="wide",
        family=draw(st.sampled_from(["llama", "gemma2", "qwen3", "gpt2"])),
        hidden_size=draw(st.integers(300, 5000)),
        intermediate_size=draw(st.integers(500, 12_000)),
        layers=draw(st.integers(1, 3)),
        attention_heads=kv_heads * draw(st.integers(1, 4)),
        kv_heads=kv_heads,
        head_dim=128,
        vocabulary_size=1000,
        tied_embeddings=False,
        experts=1,
        experts_per_token=1,
        max_context_tokens=1024,
        position_rows=0,
    )
    if model.family == "gpt2":
        model = model.model_copy(
            update={
                "position_rows": 1024,
                "qkv_biases": True,
                "output_biases": True,
                "feed_forward_biases": True,
            }
        )
    strategy = Strategy(
        tensor=draw(st.sampled_from([2, 3, 4, 8, 12])),
        pipeline=draw(st.integers(1, 3)),
    )
    context, batch = draw(st.integers(1, 500)), draw(st.integers(1, 3))
    ppm = draw(st.sampled_from([0, 50]))
    topology = select_topology(strategy.chips)

    def compiled(overlap: bool) -> Schedule:
        machine = load_machine().with_settings(
            {"compiler.overlap": overlap, "clock.drift_ppm": ppm}
        )
        task = Task(model, machine, 1, context, batch).split_as(strategy)
        chips = topology.active.astype(np.int64)
        plan = plan_sharding(task, strategy, chips, sequences=1)
        return compile_token(plan, topology)

    return compiled


@given(compiled=pairs())
@settings(max_examples=12)
def test_no_schedule_with_overlap_beats_a_bound(compiled: Compiled) -> None:
    schedule = compiled(True)
    plan, machine = schedule.plan, schedule.plan.task.machine
    links = congestion_bound(machine, schedule.topology, 0)
    of_split = split_bound(plan.task, plan.strategy.pipeline, BlockBoundCache())
    least = least_latency_cycles(plan, links)
    assert of_split.token_cycles(plan.strategy.pipeline) <= least
    assert lower_bound_cycles(plan) <= schedule.latency_cycles
    assert least <= schedule.latency_cycles


@given(compiled=pairs())
@settings(max_examples=8)
def test_overlap_never_makes_a_token_longer_and_says_what_it_hides(
    compiled: Compiled,
) -> None:
    beside, in_turn = compiled(True), compiled(False)
    stall = beside.plan.task.machine.hac.epoch_cycles
    # Deskews may fall elsewhere.
    assert beside.latency_cycles <= in_turn.latency_cycles + stall
    assert in_turn.timeline.hidden_cycles == 0
    assert beside.breakdown.total == beside.latency_cycles
    alone = sum(
        int(entry.cycles.max())
        for entry in beside.timeline.entries
        if isinstance(entry, ComputeEntry)
    )
    # What is hidden was counted as computation; products overlap while they drain.
    assert beside.breakdown.compute <= alone
    verify(beside.program, beside.topology, beside.plan.task.machine, plan=beside.plan)


def test_products_that_hide_an_exchange_shorten_a_token_by_it() -> None:
    model = ModelSpec(
        name="wide",
        family="llama",
        hidden_size=5120,
        intermediate_size=13_824,
        layers=2,
        attention_heads=40,
        kv_heads=40,
        head_dim=128,
        vocabulary_size=1000,
        tied_embeddings=False,
        experts=1,
        experts_per_token=1,
        max_context_tokens=1024,
    )
    strategy, topology = Strategy(tensor=8, pipeline=1), select_topology(8)
    took = {}
    for overlap in (False, True):
        machine = load_machine().with_settings(
            {"compiler.overlap": overlap, "clock.model": "ideal"}
        )
        task = Task(model, machine, 1, 100, 1).split_as(strategy)
        plan = plan_sharding(task, strategy, topology.active.astype(np.int64))
        took[overlap] = compile_token(plan, topology)
    gained = took[False].latency_cycles - took[True].latency_cycles
    hidden = took[True].timeline.hidden_cycles
    # Products in two parts may take more tiles, and fewer passes scale a norm.
    assert 0.5 * hidden <= gained <= 1.2 * hidden
    sent = took[False].breakdown.link + took[False].breakdown.guard
    left = took[True].breakdown.link + took[True].breakdown.guard
    assert hidden == sent - left
