from collections.abc import Callable

import pytest

from chip.dataflow import Function
from chip.operator_work import LookupWork, VectorWork
from sharding.operators.operands import Operand
from sharding.operators.operators import Compute, ShardedOperator, Unit
from sharding.partition.block_partition import BlockPartition
from sharding.partition.embedding import add_tables, embedded, look_up
from sharding.weights.blocks import Block, BlockKind
from sharding.weights.task import Task
from workloads.operators import Function as GraphFunction

Cut = Callable[..., list[ShardedOperator]]
WHOLE = Block(BlockKind.EMBEDDING, -1, 0, 2, 2)
SHARDS = [(0, 2), (2, 4), (4, 6), (6, 8)]


@pytest.fixture
def placed(task: Task) -> Task:
    """Return the task with a table of 16 positions beside that of six tokens."""
    sizes = {"family": "gpt2", "position_rows": 16}
    return task._replace(model=task.model.model_copy(update=sizes))


def columns(each: Operand) -> list[tuple[int, int]]:
    return list(zip(each.first.tolist(), each.last.tolist(), strict=True))


def parts(each: Operand) -> list[tuple[int, int]]:
    return list(zip(each.part_first.tolist(), each.part_last.tolist(), strict=True))


def test_a_lookup_reads_each_chips_columns_of_the_rows_of_its_part(
    task: Task, cut: Cut
) -> None:
    first = WHOLE._replace(last=1)
    (lookup,) = cut(look_up, GraphFunction.EMBED, task, first)
    assert isinstance(lookup, Compute)
    assert lookup.unit is Unit.LOOKUP
    # Three rows of two elements of 1 B.
    assert lookup.works == (LookupWork(6),) * 4
    ((name, function, (tokens, table), (made,)),) = lookup.operations()
    assert (name, function) == ("embedding.lookup", Function.LOOKUP)
    assert (tokens.value, columns(tokens)) == ("tokens", [(0, 1)] * 4)
    assert (columns(table), parts(table)) == ([(0, 3)] * 4, SHARDS)
    assert (made.value, columns(made)) == ("embedding.output@1", SHARDS)


def test_a_later_lookup_goes_on_from_what_the_part_before_has_found(
    task: Task, cut: Cut
) -> None:
    (lookup,) = cut(look_up, GraphFunction.EMBED, task, WHOLE._replace(first=1))
    assert isinstance(lookup, Compute)
    (operation,) = lookup.operations()
    _, table, before = operation.reads
    assert columns(table) == [(3, 6)] * 4
    # Three of six rows have been looked through.
    assert (before.value, parts(before)) == ("embedding.output@1", [(0, 3)] * 4)
    assert operation.writes[0].value == "embedding.output"


def test_the_first_lookup_reads_a_row_of_every_table(placed: Task, cut: Cut) -> None:
    (lookup,) = cut(look_up, GraphFunction.EMBED, placed, WHOLE)
    assert isinstance(lookup, Compute)
    assert lookup.works == (LookupWork(2 * 6),) * 4
    assert lookup.operations()[0].writes[0].value == "embedding.rows"


def test_rows_of_other_tables_are_added_by_the_first_part_alone(
    placed: Task, cut: Cut
) -> None:
    (added,) = cut(add_tables, GraphFunction.ADD_TABLES, placed, WHOLE)
    assert isinstance(added, Compute)
    assert added.works == (VectorWork(3 * 2, 16, operations=1, operands=2),) * 4
    ((name, function, (rows, table), (made,)),) = added.operations()
    assert (name, function) == ("embedding.tables", Function.ADD_TABLES)
    assert (rows.value, columns(rows)) == ("embedding.rows", SHARDS)
    assert (columns(table), parts(table)) == ([(0, 16)] * 4, SHARDS)
    assert (made.value, columns(made)) == ("embedding.output", SHARDS)
    later = WHOLE._replace(first=1)
    assert cut(add_tables, GraphFunction.ADD_TABLES, placed, later) == []


def test_an_embedding_is_named_by_the_parts_that_it_has_seen(task: Task) -> None:
    part = BlockPartition(task, WHOLE)
    assert embedded(part, 2).value == "embedding.output"
    half = embedded(part, 1)
    assert (half.value, columns(half)) == ("embedding.output@1", SHARDS)
    assert parts(half) == [(0, 3)] * 4
