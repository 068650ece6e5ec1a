import numpy as np
import pytest

from compiler.bounds.block_bound import BlockBoundCache
from compiler.bounds.congestion_bound import congestion_bound
from compiler.bounds.exchange_bound import ExchangeBoundCache
from compiler.bounds.placed_bound import PlacedSplitBound
from compiler.bounds.strategy_bound import SplitBound, split_bound
from sharding.weights.task import Task
from specs.machine import load_machine
from specs.model import load_model
from topologies.selection import select_topology

MACHINE = load_machine()
RACK = select_topology(72)
LINKS = congestion_bound(MACHINE, RACK, 0)


def bounds_of(task: Task, chips: list[int]) -> tuple[SplitBound, PlacedSplitBound]:
    """Return the bounds of a split anywhere and on given chips."""
    anywhere = split_bound(task, len(chips) // task.tensor, BlockBoundCache())
    known = ExchangeBoundCache(LINKS)
    return anywhere, PlacedSplitBound(anywhere, np.array(chips), LINKS, known)


@pytest.fixture
def pairs() -> Task:
    return Task(load_model("gpt2"), MACHINE, 2, 128, 1)


def test_within_a_node_all_chips_are_as_near_as_can_be(pairs: Task) -> None:
    anywhere, placed = bounds_of(pairs, list(range(8)))
    bound = placed.bound(4, head_groups=True)
    assert bound.compute_cycles == anywhere.compute_cycles
    assert bound.exchange_cycles.min() >= anywhere.exchange_cycles.max()
    assert np.ptp(bound.exchange_cycles) == np.ptp(np.diff(bound.transfer_cycles)) == 0


def test_the_best_placed_group_has_all_exchanges(pairs: Task) -> None:
    # The first group is on two nodes, the second on one.
    _, placed = bounds_of(pairs, [0, 8, 1, 2])
    first, second = placed.bound(2, head_groups=True).exchange_cycles.tolist()
    _, before = bounds_of(pairs, [1, 2, 0, 8])
    assert np.ptp(before.bound(2, head_groups=True).exchange_cycles) == 0
    _, near = bounds_of(pairs, [1, 2])
    assert first > second == near.bound(1, head_groups=True).exchange_cycles[0]


def test_a_longer_pipeline_extends_the_bound_of_a_shorter_one(pairs: Task) -> None:
    chips = [0, 8, 1, 9, 2, 3]
    _, grown = bounds_of(pairs, chips)
    short = grown.bound(2, head_groups=True)
    _, whole = bounds_of(pairs, chips)
    long, again = (each.bound(3, head_groups=True) for each in (whole, grown))
    assert again.exchange_cycles.tolist() == long.exchange_cycles.tolist()
    assert short.exchange_cycles.tolist() == long.exchange_cycles.tolist()[:2]
    assert short.transfer_cycles.tolist() == long.transfer_cycles.tolist()[:2]


def test_only_the_token_return_of_the_longest_pipeline_is_placed(pairs: Task) -> None:
    # The last stage is on another node.
    anywhere, placed = bounds_of(pairs, [0, 1, 2, 3, 16, 17])
    bound = placed.bound(3, head_groups=True)
    assert bound.return_cycles[:2].tolist() == anywhere.return_cycles[:2].tolist()
    assert bound.return_cycles[2] > anywhere.return_cycles[2]


def test_an_encoder_returns_no_token() -> None:
    task = Task(load_model("bert-base"), MACHINE, 2, 64, 1)
    _, placed = bounds_of(task, [0, 1, 16, 17])
    assert placed.bound(2, head_groups=True).return_cycles.tolist() == [0, 0]


def test_exchanges_of_head_groups_raise_the_bound_once_they_are_evaluated() -> None:
    # Two heads on four chips: those of a head are on two nodes.
    model = load_model("llama-2-7b").with_settings(
        {"attention_heads": 2, "kv_heads": 2, "layers": 2}, "test"
    )
    task = Task(model, MACHINE, 4, 128, 1)
    _, placed = bounds_of(task, [0, 8, 1, 9])
    without = placed.bound(1, head_groups=False).exchange_cycles[0]
    assert without < placed.bound(1, head_groups=True).exchange_cycles[0]
