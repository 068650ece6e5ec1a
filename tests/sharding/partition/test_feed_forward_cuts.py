import pytest

from sharding.operators.operands import Operand
from sharding.parallelism.tensor_group import Range
from sharding.partition.block_partition import BlockPartition
from sharding.partition.feed_forward_cuts import FeedForwardCuts, unscaled
from sharding.weights.blocks import Block, BlockKind
from sharding.weights.task import Task

WHOLE = Block(BlockKind.FEED_FORWARD, 0, 0, 2, 2)


@pytest.fixture
def grouped(routed: Task) -> FeedForwardCuts:
    """Return four experts of 12 columns in two groups of two chips."""
    return FeedForwardCuts(BlockPartition(routed._replace(expert=2), WHOLE))


def pairs(cut: Range | Operand) -> list[tuple[int, int]]:
    first, last = cut if isinstance(cut, Range) else (cut.first, cut.last)
    return list(zip(first.tolist(), last.tolist(), strict=True))


def test_a_value_before_the_norms_factor_is_named_within_its_block() -> None:
    assert unscaled("layers.3.feed_forward.up") == "layers.3.feed_forward.unscaled_up"


def test_columns_of_a_part_of_a_block_are_shared_evenly(task: Task) -> None:
    later = FeedForwardCuts(BlockPartition(task, WHOLE._replace(first=1)))
    assert (later.size, later.experts, later.span) == (12, 1, (6, 12))
    # Six columns on four chips.
    assert pairs(later.columns) == [(6, 7), (7, 9), (9, 10), (10, 12)]
    assert later.summed == ((6, 12),)


def test_each_expert_group_cuts_the_columns_anew_and_numbers_them_behind_the_last(
    grouped: FeedForwardCuts,
) -> None:
    assert (grouped.size, grouped.experts, grouped.chosen) == (12, 4, 2)
    assert pairs(grouped.columns) == [(0, 6), (6, 12), (0, 6), (6, 12)]
    numbered = grouped.grouped(grouped.columns)
    assert pairs(numbered) == [(0, 6), (6, 12), (12, 18), (18, 24)]


def test_a_sum_over_a_part_has_a_range_of_each_group_and_a_whole_one_a_single_range(
    grouped: FeedForwardCuts, routed: Task
) -> None:
    assert grouped.summed == ((0, 24),)
    half = BlockPartition(routed._replace(expert=2), WHOLE._replace(last=1))
    assert FeedForwardCuts(half).summed == ((0, 6), (12, 18))


def test_a_chip_has_its_columns_of_each_expert_of_its_group(
    grouped: FeedForwardCuts,
) -> None:
    held = grouped.by_expert("weights", grouped.columns)
    assert held.member.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    # Experts 0 and 1 begin at columns 0 and 12, experts 2 and 3 at 24 and 36.
    assert pairs(held)[:4] == [(0, 6), (12, 18), (6, 12), (18, 24)]
    assert pairs(held)[4:] == [(24, 30), (36, 42), (30, 36), (42, 48)]


def test_only_a_block_of_experts_reads_a_choice(
    task: Task, grouped: FeedForwardCuts
) -> None:
    (choice,) = grouped.choice()
    assert choice.value == "layers.{layer}.feed_forward.choice"
    assert pairs(choice) == [(0, 4)] * 4
    assert FeedForwardCuts(BlockPartition(task, WHOLE)).choice() == ()
