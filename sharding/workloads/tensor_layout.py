"""Layout of a workload's tensors: the elements of each tensor on each chip.

- A result that any operator reads whole is all-gathered.
- A result that only chained operators read stays split where it was made, as does an
  output that is not gathered.
- Weights of products are split by the grid. Weights of other operators are on every
  chip.
- Tables and matrices that are multiplied in pairs are split evenly.
"""

from enum import StrEnum

import numpy as np

from chip.mxm_tiling import mode_bytes
from sharding.parallelism.grid import ColumnSplit, Grid
from specs.arrays import Ints
from specs.formats import Format
from specs.graph import Lookup, Matmul, Operator, Role, Tensor, Vector
from specs.machine import MachineSpec
from specs.machine_formats import FormatsSpec
from specs.units import ceil_div
from workloads.graphs.numberings import numberings, weight_blocks
from workloads.graphs.workload import Workload


class Use(StrEnum):
    """The way in which an operator reads a tensor, which decides its layout."""

    # The right and the left operand of a product with weights.
    INSTALLED = "installed"
    STREAMED = "streamed"
    # The right operand of a product without weights: each matrix has its left one.
    PAIRED = "paired"
    TABLE = "table"
    # An operand of a chained operator, read as results leave the product.
    PASSING = "passing"
    WHOLE = "whole"


def format_of(tensor: Tensor, formats: FormatsSpec) -> Format:
    """Return the number format in which a tensor of an operator graph is stored."""
    weights = tensor.role is Role.WEIGHTS
    return tensor.format or (formats.plain_weights if weights else formats.activations)


def uses_of(workload: Workload) -> dict[str, set[Use]]:
    """Return the uses of each tensor of a graph by the operators that read it."""
    uses: dict[str, set[Use]] = {tensor.name: set() for tensor in workload.tensors}
    for operator in workload.operators:
        for name in operator.reads:
            uses[name].add(_use_of(workload, operator, name))
    return uses


def _use_of(workload: Workload, operator: Operator, name: str) -> Use:
    """Return the use of a tensor by one operator that reads it."""
    if isinstance(operator, Vector):
        return Use.PASSING if operator.chained else Use.WHOLE
    if isinstance(operator, Lookup):
        return Use.TABLE if name in operator.tables else Use.WHOLE
    weights = workload.by_name[operator.right].role is Role.WEIGHTS
    if name == operator.right:
        return Use.INSTALLED if weights else Use.PAIRED
    return Use.STREAMED if weights else Use.WHOLE


def split_columns(workload: Workload) -> dict[str, ColumnSplit]:
    """Return how each result of a graph's products with weights is split.

    These results are the output of the product and those of the chained operators
    behind it.
    """
    splits: dict[str, ColumnSplit] = {}
    blocks, numbers = weight_blocks(workload), numberings(workload)
    product: Matmul | None = None
    for operator in workload.operators:
        if isinstance(operator, Matmul):
            weights = workload.by_name[operator.right].role is Role.WEIGHTS
            product = operator if weights else None
        elif not (isinstance(operator, Vector) and operator.chained):
            product = None
        if product is None:
            continue
        columns, own = workload.by_name[product.right].columns, blocks[product.right]
        for name in operator.makes:
            splits[name] = ColumnSplit(columns, own, numbers[name].blocks)
    return splits


def stays_split(
    tensor: Tensor, uses: set[Use], columns: dict[str, ColumnSplit]
) -> bool:
    """Return whether a graph's tensor stays split over the chips, never gathered."""
    return tensor.name in columns and uses <= {Use.PASSING} and not tensor.gathered


def held_elements(workload: Workload, grid: Grid) -> dict[str, Ints]:
    """Return each graph tensor's elements that each chip holds, shape ``(chips,)``."""
    uses, columns = uses_of(workload), split_columns(workload)
    blocks = weight_blocks(workload)
    held = {}
    for tensor in workload.tensors:
        kinds = uses[tensor.name]
        size = tensor.matrices * tensor.rows
        whole = np.full(grid.width, tensor.elements, dtype=np.int64)
        if kinds == {Use.INSTALLED}:
            (low, high), (left, right) = (
                grid.rows(tensor.rows),
                grid.columns(tensor.columns, blocks[tensor.name]),
            )
            whole = tensor.matrices * (high - low) * (right - left)
        elif kinds == {Use.TABLE}:
            whole = size * grid.even_shares(tensor.columns)
        elif kinds == {Use.PAIRED}:
            whole = grid.even_shares(tensor.matrices) * tensor.rows * tensor.columns
        elif stays_split(tensor, kinds, columns):
            whole = grid.parts(tensor.elements, columns[tensor.name])
        held[tensor.name] = whole
    for product in workload.operators:
        if isinstance(product, Matmul):
            held |= _streamed_parts(workload, product, grid, uses)
    return held


def _streamed_parts(
    workload: Workload, product: Matmul, grid: Grid, uses: dict[str, set[Use]]
) -> dict[str, Ints]:
    """Return the elements on each chip of inputs that only one product streams.

    A chip needs only the columns that meet its rows of the weights.
    """
    inner = workload.by_name[product.right].rows
    low, high = grid.rows(inner)
    parts = {}
    begin = 0
    for name in product.left:
        tensor = workload.by_name[name]
        end = begin + tensor.columns
        readers = sum(name in operator.reads for operator in workload.operators)
        if (
            tensor.role is Role.INPUT
            and uses[name] == {Use.STREAMED}
            and readers == 1
            and product.left.count(name) == 1
        ):
            wide = np.clip(np.minimum(high, end) - np.maximum(low, begin), 0, None)
            parts[name] = tensor.matrices * tensor.rows * wide
        begin = end
    return parts


def scheduled_matrices(product: Matmul, right: Tensor, rows: int) -> int:
    """Return the weight matrices of a graph's product that a schedule has room for.

    Each of `rows` rows may choose other matrices, so that the result is the worst case.
    """
    if product.chosen is None:
        return right.matrices
    return min(right.matrices, product.chosen * rows)


def share_of(elements: int, part: Ints, whole: int) -> Ints:
    """Return the share of a graph's `elements` for `part` of `whole`, rounded up."""
    return np.array(
        [ceil_div(elements * n, whole) for n in part.tolist()], dtype=np.int64
    )


def product_mode(workload: Workload, machine: MachineSpec, product: Matmul) -> int:
    """Return the mode of the MXM in a graph's product: bytes of the wider operand.

    A setting of the machine may override the formats of the operands.
    """
    tensors = workload.by_name
    operands = [tensors[name] for name in (*product.left, product.right)]
    widths = [format_of(each, machine.formats).bytes_of(1) for each in operands]
    return mode_bytes(machine.chip, *widths)
