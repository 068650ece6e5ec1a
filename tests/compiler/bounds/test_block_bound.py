from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from compiler.bounds.block_bound import (
    BlockBoundCache,
    has_messages,
    least_exchange_cycles,
)
from compiler.bounds.exchange_bound import exchange_key
from compiler.cost.link_timing import hop_cycles, vectors_of
from sharding.operators.operators import Compute, Exchange, Pattern
from sharding.parallelism.tensor_group import FeedForwardLayout
from sharding.partition.block_operators import block_operators
from sharding.planner.plan import ShardingPlan
from sharding.weights.blocks import Block, BlockKind
from sharding.weights.task import Task
from specs.machine import load_machine
from specs.model import load_model

MACHINE = load_machine()
TASK = Task(load_model("llama-2-7b"), MACHINE, 4, 128, 1)
ATTENTION = Block(BlockKind.ATTENTION, 0, 0, 1, 1)
FEED_FORWARD = Block(BlockKind.FEED_FORWARD, 0, 0, 1, 1)


def exchange(
    pattern: Pattern, sizes: list[int], *, only: list[bool] | None = None
) -> Exchange:
    """Return an exchange among all of so many chips."""
    shards = np.array(sizes)
    chosen = None if only is None else np.array(only)
    return Exchange("exchange", pattern, shards, 0 * shards, chosen)


def one_hop(payload_bytes: int) -> int:
    return hop_cycles(MACHINE, vectors_of(MACHINE, payload_bytes))


def test_chips_in_teams_of_their_own_have_no_messages() -> None:
    shards = np.full(4, 320)
    teams = [np.arange(4), np.array([0, 0, 1, 2])]
    sent = [has_messages(Exchange("one", Pattern.GATHER, shards, t)) for t in teams]
    assert sent == [False, True]


def test_an_all_gather_takes_a_hop_with_the_largest_shard() -> None:
    gather = exchange(Pattern.GATHER, [320, 9_600, 320, 320])
    assert least_exchange_cycles(TASK, gather) == one_hop(9_600)


def test_the_leader_may_have_the_largest_shard_and_need_not_send_it() -> None:
    candidates = exchange(Pattern.TO_LEADER, [9_600, 320, 320, 640])
    assert least_exchange_cycles(TASK, candidates) == one_hop(320)


def test_shards_of_chips_that_are_alone_in_their_team_do_not_count() -> None:
    shards = np.array([320, 320, 9_600])
    gather = Exchange("one", Pattern.GATHER, shards, np.array([0, 0, 1]))
    assert least_exchange_cycles(TASK, gather) == one_hop(320)


@pytest.mark.parametrize(("ports", "hops"), [(3, 1), (2, 2)])
def test_without_a_port_for_each_other_chip_one_of_them_is_two_hops_away(
    ports: int, hops: int
) -> None:
    machine = MACHINE.with_settings({"chip.ports": ports})
    scatter = exchange(Pattern.SCATTER, [320] * 4, only=[True, False, False, False])
    task = TASK._replace(machine=machine)
    least = least_exchange_cycles(task, scatter)
    link = machine.link
    relayed = link.forward_cycles - link.mean_latency_cycles
    stored = machine.chip.receive_cycles + machine.chip.send_cycles
    second_hop = link.latency_cycles + max(0, min(relayed, stored))
    assert least == one_hop(320) + (hops - 1) * second_hop


def test_a_block_takes_the_sum_of_its_operators_and_exchanges() -> None:
    in_turn = MACHINE.with_settings({"compiler.overlap": False})
    bound = BlockBoundCache().bound(TASK._replace(machine=in_turn), ATTENTION)
    operators = block_operators(TASK, ATTENTION)
    computed = [one.least_cycles.max() for one in operators if isinstance(one, Compute)]
    sent = [
        least_exchange_cycles(TASK, one)
        for one in operators
        if isinstance(one, Exchange) and has_messages(one)
    ]
    assert bound.compute_cycles == sum(computed)
    assert bound.exchange_cycles == sum(sent)
    assert min(bound) > 0


def test_strategies_that_differ_in_other_keys_share_the_bound_of_a_block() -> None:
    known = BlockBoundCache()
    grid = TASK._replace(layout=FeedForwardLayout.TWO_D)
    alternating = TASK._replace(attention=2)
    assert known.bound(grid, ATTENTION) is known.bound(TASK, ATTENTION)
    assert known.bound(alternating, FEED_FORWARD) is known.bound(TASK, FEED_FORWARD)
    assert known.bound(grid, FEED_FORWARD) != known.bound(TASK, FEED_FORWARD)
    assert known.bound(alternating, ATTENTION) != known.bound(TASK, ATTENTION)


@settings(max_examples=20)
@given(plan=...)
def test_what_a_cache_holds_does_not_change_a_bound(plan: ShardingPlan) -> None:
    shared = BlockBoundCache()
    for task in (plan.task, plan.task._replace(attention=0)):
        for block in (ATTENTION, FEED_FORWARD):
            assert shared.bound(task, block) == BlockBoundCache().bound(task, block)


def test_exchanges_that_splits_share_are_those_of_each_split() -> None:
    shared = BlockBoundCache()
    # Shards of several sizes: a hidden size of 2,880 on seven nodes.
    mixture = TASK._replace(model=load_model("gpt-oss-120b"), tensor=56)
    splits: list[dict[str, Any]] = [
        {},
        {"expert": 2},
        {"attention": 8},
        {"layout": FeedForwardLayout.TWO_D},
        {"attention": 8, "layout": FeedForwardLayout.TWO_D},
    ]
    for task in (mixture._replace(**split) for split in splits):
        for block in (ATTENTION, FEED_FORWARD):
            # What is bounded before leaves its exchanges behind.
            shared.bound(task, block)
            own = [
                exchange_key(operator)
                for operator in block_operators(task, block)
                if isinstance(operator, Exchange) and has_messages(operator)
            ]
            kept = shared.exchanges(task, block)
            assert [exchange_key(exchange) for exchange in kept] == own
