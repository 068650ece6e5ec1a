"""Where the tensors of a workload lie: how much of each tensor every chip holds.

A result that any operator reads in whole is gathered on every chip. What only chained
operators read stays where it was made, in parts; so does an output, unless it is to be
gathered. Weights that are multiplied are split by the grid, those of other operators
are on each chip, tables and matrices that are multiplied in pairs are split evenly.
"""

from enum import StrEnum

import numpy as np

from sharding.parallelism.grid import Grid
from specs.arrays import Ints
from specs.formats import Format
from specs.graph import Lookup, Matmul, Operator, Role, Tensor, Vector
from specs.machine import FormatsSpec, MachineSpec
from specs.units import ceil_div
from specs.workload import Workload


class Use(StrEnum):
    """How an operator takes a tensor."""

    # The right operand of a product with weights; its left operand.
    INSTALLED = "installed"
    STREAMED = "streamed"
    # A right operand that is multiplied in pairs with the left one.
    PAIRED = "paired"
    TABLE = "table"
    # By a chained operator, with the results that pass.
    PASSING = "passing"
    WHOLE = "whole"


def format_of(tensor: Tensor, formats: FormatsSpec) -> Format:
    """Return the format in which a tensor is stored."""
    weights = tensor.role is Role.WEIGHTS
    return tensor.format or (formats.weights if weights else formats.activations)


def uses_of(workload: Workload) -> dict[str, set[Use]]:
    """Return how the operators take each tensor."""
    uses: dict[str, set[Use]] = {tensor.name: set() for tensor in workload.tensors}
    for operator in workload.operators:
        for name in operator.reads:
            uses[name].add(_use(workload, operator, name))
    return uses


def _use(workload: Workload, operator: Operator, name: str) -> Use:
    if isinstance(operator, Vector):
        return Use.PASSING if operator.chained else Use.WHOLE
    if isinstance(operator, Lookup):
        return Use.TABLE if name in operator.tables else Use.WHOLE
    weights = workload.by_name[operator.right].role is Role.WEIGHTS
    if name == operator.right:
        return Use.INSTALLED if weights else Use.PAIRED
    return Use.STREAMED if weights else Use.WHOLE


def front_columns(workload: Workload) -> dict[str, int]:
    """Return, for what products with weights make, the columns that split it.

    That is what comes out of such a product, or of the chain on its results.
    """
    columns: dict[str, int] = {}
    product: Matmul | None = None
    for operator in workload.operators:
        if isinstance(operator, Matmul):
            weights = workload.by_name[operator.right].role is Role.WEIGHTS
            product = operator if weights else None
        elif not (isinstance(operator, Vector) and operator.chained):
            product = None
        if product is not None:
            of = workload.by_name[product.right].columns
            columns |= dict.fromkeys(operator.makes, of)
    return columns


def stays_in_parts(tensor: Tensor, uses: set[Use], columns: dict[str, int]) -> bool:
    """Return whether a tensor is never brought together."""
    return tensor.name in columns and uses <= {Use.PASSING} and not tensor.gathered


def held_elements(workload: Workload, grid: Grid) -> dict[str, Ints]:
    """Return the elements of each tensor that each chip holds, shape ``(chips,)``."""
    uses, columns = uses_of(workload), front_columns(workload)
    held = {}
    for tensor in workload.tensors:
        how = uses[tensor.name]
        size = tensor.matrices * tensor.rows
        whole = np.full(grid.chips, tensor.elements, dtype=np.int64)
        if how == {Use.INSTALLED}:
            (low, high), (left, right) = (
                grid.rows(tensor.rows),
                grid.columns(tensor.columns),
            )
            whole = tensor.matrices * (high - low) * (right - left)
        elif how == {Use.TABLE}:
            whole = size * grid.even_shares(tensor.columns)
        elif how == {Use.PAIRED}:
            whole = grid.even_shares(tensor.matrices) * tensor.rows * tensor.columns
        elif stays_in_parts(tensor, how, columns):
            whole = grid.parts(tensor.elements, columns[tensor.name])
        held[tensor.name] = whole
    for product in workload.operators:
        if isinstance(product, Matmul):
            held |= _streamed_parts(workload, product, grid, uses)
    return held


def _streamed_parts(
    workload: Workload, product: Matmul, grid: Grid, uses: dict[str, set[Use]]
) -> dict[str, Ints]:
    """Return what each chip needs of inputs that one product alone streams."""
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
    """Return the weight matrices that a product must have room for.

    Each of `rows` may choose others; a static schedule holds the worst case.
    """
    if product.chosen is None:
        return right.matrices
    return min(right.matrices, product.chosen * rows)


def share_of(elements: int, part: Ints, whole: int) -> Ints:
    """Return the elements that go with `part` of `whole`, rounded up."""
    return np.array(
        [ceil_div(elements * n, whole) for n in part.tolist()], dtype=np.int64
    )


def fed_bytes(workload: Workload, machine: MachineSpec, product: Matmul) -> int:
    """Return the bytes at which an element of the right operand enters the MXM.

    They are `chip.operand_bytes`, or what an element takes in memory.
    """
    right = workload.by_name[product.right]
    width = format_of(right, machine.formats).bytes_of(1)
    return max(machine.chip.operand_bytes, width)
