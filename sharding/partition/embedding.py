"""The embedding: the lookup of tokens, and the sum with other tables."""

from chip.dataflow import Function
from chip.operator_work import LookupWork
from sharding.operators.operands import Operand, Operation, operand
from sharding.operators.operator_builders import vector
from sharding.operators.operators import (
    Exchange,
    Pattern,
    ShardedOperator,
    Unit,
    compute,
)
from sharding.parallelism.tensor_group import Range
from sharding.partition.block_partition import BlockPartition
from sharding.partition.norms import scaling, weigh_shard, weighed_shard
from sharding.weights.task import bytes_of
from specs.arrays import Ints
from specs.weight_formats import WeightFormat
from workloads.operators import Function as GraphFunction
from workloads.operators import GraphOperator

# The tokens that a pass embeds.
TOKENS = "tokens"


def _added_tables(part: BlockPartition) -> tuple[str, ...]:
    """Return the other tables, whose rows are added by the first part."""
    operator = part.find(GraphFunction.ADD_TABLES)
    return operator.inputs[1:] if operator is not None and part.block.opens else ()


def look_up(part: BlockPartition, operator: GraphOperator) -> list[ShardedOperator]:
    """Return the sharded lookup of the rows of a part of the vocabulary."""
    task, block = part.task, part.block
    tokens, table = operator.inputs
    # A row of the vocabulary and, in the first part, one of each other table.
    rows = 1 + len(_added_tables(part))
    count = task.tokens * rows
    row_bytes = _rows_bytes(task.formats.embedding, count, part.shard)

    def looks_up() -> tuple[Operation, ...]:
        low, high = block.range_of(part.rows(table))
        reads = [
            operand(tokens, 0, part.ones),
            # Rows of the table, and each chip's columns of them.
            operand(table, low, high * part.ones, *part.shard),
        ]
        if not block.opens:
            reads.append(embedded(part, block.first))
        made = (embedded(part, block.last, operator if rows > 1 else None),)
        return (Operation(operator.name, Function.LOOKUP, tuple(reads), made),)

    chip = task.machine.chip
    return [
        compute("embed", Unit.LOOKUP, chip, LookupWork, row_bytes, operations=looks_up)
    ]


def _rows_bytes(stored: WeightFormat, rows: int, columns: Range) -> Ints:
    """Return the bytes of rows of an embedding on each chip, with their scales."""
    if stored.scaled:
        one = columns.start * 0
        return rows * stored.slice_bytes((one, one + 1), columns)
    return bytes_of(stored.element, columns.sizes * rows)


def add_tables(part: BlockPartition, operator: GraphOperator) -> list[ShardedOperator]:
    """Return the sharded sum of looked-up rows with those of the other tables."""
    tables = _added_tables(part)
    if not tables:
        return []

    def adds() -> tuple[Operation, ...]:
        lookup = part.find(GraphFunction.EMBED)
        reads = (
            embedded(part, part.block.last, lookup),
            *(
                operand(table, 0, part.rows(table) * part.ones, *part.shard)
                for table in tables
            ),
        )
        made = (embedded(part, part.block.last),)
        return (Operation(operator.name, Function.ADD_TABLES, reads, made),)

    return [
        vector(
            part.task,
            "add_position",
            part.shard.sizes,
            operations=len(tables),
            operands=1 + len(tables),
            computes=adds,
        )
    ]


def weigh_rows(part: BlockPartition, operator: GraphOperator) -> list[ShardedOperator]:
    """Return the sharded weighing of looked-up rows for their norm."""
    return [weigh_shard(part, operator)] if part.block.closes else []


def scale_rows(part: BlockPartition, operator: GraphOperator) -> list[ShardedOperator]:
    """Return the sharded norm of looked-up rows: each chip keeps its shard of them.

    Only the sums of all shards are exchanged.
    """
    if not part.block.closes:
        return []
    sums = part.norm_sum_bytes * part.task.tokens * part.ones
    return [
        Exchange(
            "embedding_norm",
            Pattern.GATHER,
            sums,
            part.one_team,
            carries=lambda: (weighed_shard(part)[1],),
        ),
        vector(
            part.task,
            "scale",
            part.shard.sizes,
            operations=2,
            computes=lambda: (
                scaling(part, operator, part.shard, operator.outputs[0]),
            ),
        ),
    ]


def embedded(
    part: BlockPartition, place: int, maker: GraphOperator | None = None
) -> Operand:
    """Return each chip's shard of the rows found in parts of the vocabulary before one.

    Parameters
    ----------
    part
        The embedding.
    place
        Number of the first part that is left out.
    maker
        Operator whose result it is, the last one that looks up or adds if None.
    """
    adds = part.find(GraphFunction.ADD_TABLES) or part.find(GraphFunction.EMBED)
    maker = maker or adds
    assert maker is not None
    name = maker.outputs[0]
    if place == part.block.parts:
        return operand(name, *part.shard)
    table = part.operators[0].inputs[1]
    before = part.block._replace(first=0, last=place)
    _, high = before.range_of(part.rows(table))
    return operand(f"{name}@{place}", *part.shard, 0, high)
