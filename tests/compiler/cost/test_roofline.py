from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings

from compiler.compile_decode import compile_token
from compiler.cost.link_timing import hop_cycles
from compiler.cost.roofline import feed_cycles, lower_bound_cycles
from compiler.ir.schedule import Schedule
from compiler.verify import verify
from sharding.planner.plan import ShardingPlan
from specs.machine import load_machine
from topologies.selection import select_topology

Compile = Callable[..., Schedule]


@settings(max_examples=20)
@given(plan=...)
def test_no_schedule_beats_the_bound_and_every_schedule_is_certified(
    plan: ShardingPlan,
) -> None:
    topology = select_topology(plan.strategy.chips)
    schedule = compile_token(plan, topology)
    assert 0 < schedule.lower_bound_cycles <= schedule.program.token_cycles
    certificate = verify(schedule.program, topology, plan.task.machine)
    assert certificate.checks["no slice or port is used twice"] > 0


@settings(max_examples=20)
@given(plan=...)
def test_where_the_cycles_went_adds_up_to_the_latency(plan: ShardingPlan) -> None:
    schedule = compile_token(plan, select_topology(plan.strategy.chips))
    spent_cycles = schedule.breakdown.total + schedule.program.turn_cycles
    assert spent_cycles == schedule.latency_cycles
    assert min(schedule.breakdown) >= 0


def test_a_hop_of_one_vector_is_the_published_one_less_its_margin() -> None:
    # 722 ns are 650 cycles, of which 38 are the guard band in a node.
    assert hop_cycles(load_machine(), 1) == 612
    assert hop_cycles(load_machine(), 126) == 612 + 2952


def test_one_chip_is_bound_by_its_rounds_of_tiles(compiled: Compile) -> None:
    plan = compiled(1, 1, chip__prefetch=False).plan
    # FP16 mode, two tiles a round, two cycles a row. Each matrix takes one round of 52
    # cycles and its rows: of a layer q|k|v, output, gate and up, and down with one row;
    # keys and values of two heads, which two queries share.
    layer = 4 * (52 + 2) + 2 * (52 + 2 * 2)
    rounds = 2 * layer + (52 + 2)
    assert lower_bound_cycles(plan) == rounds
    # Those of weights load ahead, the few keys and values are the newest positions.
    plan = compiled(1, 1).plan
    assert lower_bound_cycles(plan) == rounds - (2 * 4 + 1) * 40


@pytest.mark.parametrize("rate", [1, 2, 3])
def test_a_stage_loads_all_its_rounds_at_the_feed_rate(
    compiled: Compile, rate: int
) -> None:
    schedule = compiled(
        1, 1, chip__weight_feed_bytes_per_cycle=rate, chip__prefetch=False
    )
    # Thirteen rounds, of which 2 x 2 are of keys and values, with two rows.
    load = -(-409_600 // rate)
    wanted = 13 * (load + 12) + 9 * 2 + 4 * 4
    assert feed_cycles([schedule.plan]) == [wanted]


def test_the_bound_of_a_large_model_is_close(compiled: Compile) -> None:
    # Nothing is given away by hops: every stage transfers, every block exchanges.
    schedule = compiled(2, 4, compiler__overlap=False)
    hops = np.sum(schedule.timeline.stage_hops)
    assert schedule.lower_bound_cycles >= 612 * hops
