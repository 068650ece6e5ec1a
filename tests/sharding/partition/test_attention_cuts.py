from sharding.parallelism.tensor_group import Range
from sharding.partition.attention_cuts import AttentionCuts
from sharding.partition.block_partition import BlockPartition
from sharding.weights.blocks import Block, BlockKind
from sharding.weights.task import Task

ATTENTION = Block(BlockKind.ATTENTION, 0, 0, 1, 1)


def pairs(cut: Range) -> list[tuple[int, int]]:
    return list(zip(cut.start.tolist(), cut.end.tolist(), strict=True))


def test_two_chips_share_the_rows_of_a_key_head_and_of_its_two_query_heads(
    task: Task,
) -> None:
    # Four query heads and two key heads of two elements, on four chips.
    cuts = AttentionCuts(BlockPartition(task, ATTENTION))
    assert (cuts.sharing, cuts.size, cuts.shared) == (2, 2, True)
    assert cuts.teams.tolist() == [0, 0, 1, 1]
    assert pairs(cuts.query) == [(0, 2), (2, 4), (4, 6), (6, 8)]
    assert pairs(cuts.key) == [(0, 1), (1, 2), (2, 3), (3, 4)]
    # A chip's rows are of one query head and of half a key head.
    assert cuts.touched_heads.tolist() == [2, 2, 2, 2]


def test_chips_of_a_kv_head_group_have_its_whole_heads_and_parts_of_the_context(
    task: Task,
) -> None:
    cuts = AttentionCuts(BlockPartition(task, ATTENTION))
    assert pairs(cuts.whole_query) == [(0, 4), (0, 4), (4, 8), (4, 8)]
    assert pairs(cuts.whole_key) == [(0, 2), (0, 2), (2, 4), (2, 4)]
    assert pairs(cuts.query_heads) == [(0, 2), (0, 2), (2, 4), (2, 4)]
    assert pairs(Range(*cuts.context_part)) == [(0, 1), (1, 2), (0, 1), (1, 2)]


def test_chips_without_heads_have_no_rows_and_are_groups_of_their_own(
    task: Task,
) -> None:
    # In layer 1 the third and fourth chip attend, each with a whole key head.
    alternating = task._replace(attention=2)
    layer = ATTENTION._replace(layer=1)
    cuts = AttentionCuts(BlockPartition(alternating, layer))
    assert not cuts.shared
    assert cuts.teams.tolist() == [2, 3, 0, 1]
    assert cuts.query.sizes.tolist() == cuts.whole_query.sizes.tolist() == [0, 0, 4, 4]
    assert cuts.touched_heads.tolist() == [0, 0, 3, 3]


def test_slices_and_whole_heads_are_operands_of_the_values_that_are_named(
    task: Task,
) -> None:
    cuts = AttentionCuts(BlockPartition(task, ATTENTION))
    assert [each.value for each in cuts.sliced(("q", "k"))] == ["q", "k"]
    query, key, value = cuts.sliced(("q", "k", "v"))
    assert query.first.tolist() == [0, 2, 4, 6]
    assert key.first.tolist() == value.first.tolist() == [0, 1, 2, 3]
    query, key = cuts.whole(("q", "k"))
    assert query.last.tolist() == [4, 4, 8, 8]
    assert key.last.tolist() == [2, 2, 4, 4]
