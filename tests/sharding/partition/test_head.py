from collections.abc import Callable

from chip.dataflow import Function
from chip.operator_work import VectorWork
from sharding.operators.operands import Operand
from sharding.operators.operators import Compute, Exchange, Pattern, ShardedOperator
from sharding.partition.block_partition import BlockPartition
from sharding.partition.head import candidates, choose_candidate, sample
from sharding.weights.blocks import Block, BlockKind
from sharding.weights.task import Task
from workloads.operators import Function as GraphFunction

Cut = Callable[..., list[ShardedOperator]]
WHOLE = Block(BlockKind.HEAD, 2, 0, 2, 2)
OWN = [(0, 1), (1, 2), (2, 3), (3, 4)]


def columns(each: Operand) -> list[tuple[int, int]]:
    return list(zip(each.first.tolist(), each.last.tolist(), strict=True))


def test_each_chip_chooses_among_the_logits_that_it_has_made(
    task: Task, cut: Cut
) -> None:
    (chosen,) = cut(choose_candidate, GraphFunction.CANDIDATE, task, WHOLE)
    assert isinstance(chosen, Compute)
    # Six rows of the vocabulary on four chips, three tokens.
    assert list(chosen.works) == [
        VectorWork(3 * n, 16, operations=2, passes=2, reductions=1)
        for n in (1, 2, 1, 2)
    ]
    ((name, function, (logits,), (made,)),) = chosen.operations()
    assert (name, function) == ("head.candidate", Function.CANDIDATE)
    assert columns(logits) == [(0, 1), (1, 3), (3, 4), (4, 6)]
    assert (made.value, columns(made)) == ("head.candidates", OWN)


def test_a_later_part_of_the_vocabulary_is_compared_with_the_one_before(
    task: Task, cut: Cut
) -> None:
    later = WHOLE._replace(first=1)
    (chosen,) = cut(choose_candidate, GraphFunction.CANDIDATE, task, later)
    assert isinstance(chosen, Compute)
    logits, before = chosen.operations()[0].reads
    # Three rows on four chips: the first has none, but names a candidate still.
    assert logits.member.tolist() == [1, 2, 3]
    assert columns(logits) == [(3, 4), (4, 5), (5, 6)]
    assert (before.value, before.part_last.tolist()) == ("head.candidates@1", [3] * 4)
    work = VectorWork(3, 16, operations=2, passes=2, reductions=1)
    assert list(chosen.works) == [work] * 4


def test_candidates_are_named_by_the_parts_that_they_are_chosen_from(
    task: Task,
) -> None:
    part = BlockPartition(task, WHOLE)
    whole, half = candidates(part, 2), candidates(part, 1)
    assert (whole.value, columns(whole)) == ("head.candidates", OWN)
    assert (half.value, columns(half)) == ("head.candidates@1", OWN)
    assert half.part_last.tolist() == [3] * 4


def test_the_first_chip_samples_the_token_from_the_candidates_of_all(
    task: Task, cut: Cut
) -> None:
    gather, sampled = cut(sample, GraphFunction.SAMPLE, task, WHOLE)
    assert isinstance(gather, Exchange)
    assert isinstance(sampled, Compute)
    # A logit and a number, 8 B, of each of three tokens.
    assert (gather.pattern, gather.shard_bytes.tolist()) == (
        Pattern.TO_LEADER,
        [24] * 4,
    )
    assert [columns(each) for each in gather.carries()] == [OWN]
    assert list(sampled.works) == [
        VectorWork(n, 16, operations=4, passes=2, reductions=1)
        for n in (3 * 4, 0, 0, 0)
    ]
    ((_, function, (read,), (token,)),) = sampled.operations()
    assert function is Function.SAMPLE
    assert (read.member.tolist(), columns(read)) == ([0], [(0, 4)])
    assert (token.value, columns(token)) == ("head.token", [(0, 1)])
    assert cut(sample, GraphFunction.SAMPLE, task, WHOLE._replace(last=1)) == []
