"""Stored weights: bytes that matrices take, with the scales of their formats.

For `compiler.verify`; independent of the code that plans memory and makes programs.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from compiler.dataflow_rules.regions import Rows
from compiler.dataflow_rules.statements import Statements
from compiler.dataflow_rules.weights.checkpoint_tensors import Part, checkpoint_parts
from sharding.planner.plan import ShardingPlan
from sharding.weights.task import Task
from specs.arrays import Ints
from specs.model_formats import WeightGroup
from specs.weight_formats import WeightFormat

# Marks the copies of a tensor that several chips have.
_COPIES = re.compile(r"( from \d+)? \(copies\)$")
_ATTENTION = (
    "query",
    "key",
    "value",
    "output",
    "query_down",
    "query_up",
    "latent_down",
    "key_value_up",
    "output_gate",
    "write",
    "decay",
)
# Of a format whose scales are quantised themselves.
_SCALES_IN_GROUP = 256
_FEED_FORWARDS = (
    WeightGroup.FEED_FORWARD,
    WeightGroup.EXPERTS,
    WeightGroup.SHARED_EXPERTS,
)
_EDGES = ("row_start", "row_end", "column_start", "column_end")


class BlockSizes(NamedTuple):
    """Numbers of weight formats, one for each matrix of some, shape ``(matrices,)``.

    Attributes
    ----------
    element_bits
        Bits of an element.
    rows, columns
        Outputs and inputs that share a scale, 0 for all.
    beside_bits
        Bits of the scale and of the zero of a block.
    tensor_bits
        Bits of the scale of a tensor.
    scale_groups
        Scales that share four bytes of their own, 0 if none do.
    """

    element_bits: Ints
    rows: Ints
    columns: Ints
    beside_bits: Ints
    tensor_bits: Ints
    scale_groups: Ints

    def at(self, places: Ints) -> "BlockSizes":
        """Return the numbers of the matrices at places among these."""
        return BlockSizes(*(column[places] for column in self))

    def amounts(self, rows: Rows) -> tuple[Ints, Ints, Ints]:
        """Return the elements of regions of matrices, their bits, bytes of scales."""
        high, wide = rows.last - rows.first, rows.part_last - rows.part_first
        area = high * wide
        return area, area * self.element_bits, self.least_scale_bytes(high, wide)

    def least_bytes(self, elements: Ints) -> Ints:
        """Return the least bytes of so many elements of matrices, scales included."""
        area = self.rows * self.columns
        beside = np.where(area > 0, elements * self.beside_bits, 0)
        scales = beside // np.maximum(area, 1) // 8
        size: Ints = -(-elements * self.element_bits // 8) + scales
        return size

    def least_scale_bytes(self, rows: Ints, columns: Ints) -> Ints:
        """Return the least bytes of scales of matrices of so many rows and columns."""
        blocks = _least_blocks(rows, self.rows) * _least_blocks(columns, self.columns)
        bits = blocks * self.beside_bits + self.tensor_bits
        groups = -(-blocks // np.maximum(self.scale_groups, 1))
        bits += np.where(self.scale_groups > 0, 32 * groups, 0)
        return bits * (rows * columns > 0) // 8


def block_sizes(formats: Sequence[WeightFormat]) -> BlockSizes:
    """Return the numbers of stored formats as arrays."""
    numbers = [
        (
            stored.element.bits,
            stored.block_rows,
            stored.block_columns,
            stored.scale_bits + stored.zero_bits,
            stored.tensor_bits,
            _SCALES_IN_GROUP if stored.double else 0,
        )
        for stored in formats
    ]
    return BlockSizes(*np.array(numbers, dtype=np.int64).reshape(-1, 6).T)


def stored_inputs(
    statements: Statements, task: Task, operations: Ints, place: int
) -> BlockSizes:
    """Return the stored formats of an input of each operation, at a place of theirs."""
    names = [
        statements.graph[statements.name(each)].inputs[place]
        for each in operations.tolist()
    ]
    known = {name: format_of_matrix(task, name) for name in set(names)}
    return block_sizes([known[name] for name in names])


def format_of_matrix(task: Task, name: str) -> WeightFormat:
    """Return the stored format of the weights of a task's graph, by their name."""
    model, stored = task.model, task.machine.formats.weights
    if model.formats is None:
        return stored
    *path, tensor, kind = name.split(".")
    group = WeightGroup.OTHERS
    if name.startswith("embedding."):
        group = WeightGroup.EMBEDDING
    elif kind == "weight" and name == "head.weight":
        group = WeightGroup.HEAD
    elif kind == "weight" and tensor in _ATTENTION:
        group = WeightGroup.ATTENTION
    elif kind == "weight" and tensor in ("shared_gate", "shared_up", "shared_down"):
        group = WeightGroup.SHARED_EXPERTS
    elif kind == "weight" and tensor in ("gate", "up", "down"):
        # "layers", its number, and the block.
        routed = model.has_experts(int(path[1]))
        group = WeightGroup.EXPERTS if routed else WeightGroup.FEED_FORWARD
    layered = group in (*_FEED_FORWARDS, WeightGroup.ATTENTION)
    return model.formats.of(group, int(path[1]) if layered else None)


def product_modes(task: Task, bits: Ints) -> Ints:
    """Return the modes of products with weights of so many bits: the wider operand."""
    setting = task.machine.chip.operand_bytes
    if setting != "auto":
        return np.full(len(bits), setting, dtype=np.int64)
    widest = np.maximum(bits, task.machine.formats.activations.bits)
    modes: Ints = np.minimum(-(-widest // 8), 2)
    return modes


def resident_bytes(plan: ShardingPlan, chips: int) -> Ints:
    """Return the bytes of stored weights on each chip by a plan's slices.

    They are counted from the edges of the slices, not as the plan counts them.

    Parameters
    ----------
    plan
        The plan.
    chips
        Chips of the machine.
    """
    table = plan.slice_table
    parts = checkpoint_parts(plan.task.model)
    formats = [_format_of_tensor(plan.task, parts, name) for name in table.names]
    sizes = block_sizes(formats).at(table.columns["tensor"])
    top, bottom, left, right = (table.columns[name] for name in _EDGES)
    blocks = _met(top, bottom, sizes.rows) * _met(left, right, sizes.columns)
    held = -(-(bottom - top) * (right - left) * sizes.element_bits // 8)
    # Scales and zeros are arrays of their own, which may share their last byte.
    held += -(-blocks * sizes.beside_bits // 8) + sizes.tensor_bits // 8
    grouped = np.maximum(sizes.scale_groups, 1)
    held += np.where(sizes.scale_groups > 0, 4 * -(-blocks // grouped), 0)
    total = np.zeros(chips, dtype=np.int64)
    np.add.at(total, table.columns["chip"], held)
    return total


def _format_of_tensor(
    task: Task, parts: dict[str, tuple[Part, ...]], name: str
) -> WeightFormat:
    """Return the stored format of a tensor, by its name in a checkpoint."""
    own = parts[_COPIES.sub("", name)][0]
    return format_of_matrix(task, "vector." if own.is_vector else own.name)


def _met(first: Ints, last: Ints, size: Ints) -> Ints:
    """Return the blocks of a dimension that ranges meet, one if a block is all."""
    step = np.where(size > 0, size, np.iinfo(np.int64).max)
    return (last - 1) // step - first // step + 1


def _least_blocks(length: Ints, size: Ints) -> Ints:
    """Return the fewest blocks that hold a length, one if a block is all."""
    return np.where(size > 0, -(-length // np.maximum(size, 1)), 1)
