"""The operators of the embedding: the lookup of tokens, and of other tables."""

from chip.dataflow import Function
from chip.operator_work import LookupWork
from sharding.operators.operands import Operand, Operation, operand
from sharding.operators.operator_builders import vector
from sharding.operators.operators import ShardedOperator, Unit, compute
from sharding.weights.blocks import Block
from sharding.weights.task import Task, bytes_of

# The tokens that a pass embeds.
TOKENS = "tokens"


def embedding(task: Task, block: Block) -> list[ShardedOperator]:
    """Return the sharded operators of the embedding: the lookup, and other tables."""
    model = task.model
    shard = task.shard_sizes() * task.tokens
    # A row of the vocabulary and, in the first part, one of each other table.
    added = block.opens * ((model.position_rows > 0) + (model.token_types > 0))
    row_bytes = bytes_of(task.machine.formats.weights, shard * (1 + added))
    chip = task.machine.chip
    operators: list[ShardedOperator] = [
        compute(
            "embed",
            Unit.LOOKUP,
            chip,
            LookupWork,
            row_bytes,
            operations=lambda: (_looking_up(task, block, added=bool(added)),),
        )
    ]
    if added:
        part = task.shard_sizes()
        operators.append(
            vector(
                task,
                "add_position",
                part,
                operations=added,
                operands=1 + int(added),
                computes=lambda: (_adding_tables(task, block),),
            )
        )
    return operators


def _looking_up(task: Task, block: Block, *, added: bool) -> Operation:
    """Return the lookup of the rows of a part of the vocabulary."""
    shard = task.group.shards(task.model.hidden_size)
    low, high = block.range_of(task.model.vocabulary_size)
    reads = [
        operand(TOKENS, 0, 0 * shard.end + 1),
        # Rows of the table, and each chip's columns of them.
        operand("embedding.weight", low, 0 * shard.end + high, *shard),
    ]
    if not block.opens:
        reads.append(embedded(task, block, block.first))
    name = "embedding.rows" if added else "embedding.output"
    made = (embedded(task, block, block.last, name),)
    return Operation("embedding.lookup", Function.LOOKUP, tuple(reads), made)


def _adding_tables(task: Task, block: Block) -> Operation:
    """Return the sum of looked-up rows with those of the other tables."""
    model = task.model
    shard = task.group.shards(model.hidden_size)
    reads = [embedded(task, block, block.last, "embedding.rows")]
    for table, rows in (
        ("positions", model.position_rows),
        ("token_types", model.token_types),
    ):
        if rows:
            last = 0 * shard.end + rows
            reads.append(operand(f"embedding.{table}.weight", 0, last, *shard))
    made = (embedded(task, block, block.last),)
    return Operation("embedding.tables", Function.ADD_TABLES, tuple(reads), made)


def embedded(
    task: Task, block: Block, place: int, name: str = "embedding.output"
) -> Operand:
    """Return each chip's shard of the rows found in the vocabulary before `place`."""
    shard = task.group.shards(task.model.hidden_size)
    if place == block.parts:
        return operand(name, *shard)
    _, high = block._replace(first=0, last=place).range_of(task.model.vocabulary_size)
    return operand(f"{name}@{place}", *shard, 0, high)
