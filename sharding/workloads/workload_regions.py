"""Regions of a workload plan's operators: what each reads and makes on each chip.

Elements are counted as `workloads.graphs.numberings` says, and columns of weights as
they are stored. Partial sums are a value of their own, whose parts are the rows of the
weights that were multiplied.
"""

from functools import cached_property
from typing import final

import numpy as np

from chip.dataflow import Function
from chip.element_numbering import Numbering, in_order
from sharding.operators.operands import Operand, Operation, operand, shards
from sharding.workloads.workload_plan import WorkloadPlan
from specs.arrays import Ints
from specs.graph import Lookup, Matmul, Role, Tensor, Vector

Edges = tuple[Ints, Ints]


@final
class OperatorRegions:
    """Regions that an operator of a workload reads and makes on each chip of a plan.

    Parameters
    ----------
    plan, number
        The plan, and the number of the operator.
    """

    def __init__(self, plan: WorkloadPlan, number: int) -> None:
        self._plan = plan
        self._tensors = plan.workload.by_name
        self._operator = plan.workload.operators[number]
        self._number = number
        self._none = np.zeros(plan.strategy.width, dtype=np.int64)

    # A search plans many splits and asks none of them for its regions.
    @cached_property
    def _name(self) -> str:
        return self._plan.operators[self._number].name

    @cached_property
    def _reads(self) -> dict[str, str]:
        """Values of operands; a state that was made before is what took its place."""
        made = self._plan.operators[self._number]
        return dict(zip(self._operator.reads, made.inputs, strict=True))

    @cached_property
    def _makes(self) -> dict[str, str]:
        made = self._plan.operators[self._number]
        return dict(zip(self._operator.makes, made.outputs, strict=True))

    def product(self) -> Operation:
        """Return a product with weights, of which each chip has rows and columns."""
        product, right = self._product()
        grid = self._plan.strategy
        low, high = grid.rows(right.rows)
        columns = grid.columns(right.columns, self._plan.blocks[right.name])
        reads, begin = [], 0
        for name in product.left:
            reads.append(self._streamed(name, low - begin, high - begin))
            begin += self._tensors[name].columns
        reads += [operand(name, low, high, *columns) for name in matrix_names(right)]
        if product.choice is not None:
            reads.append(self._whole(product.choice))
        output = self._makes[product.output]
        rows = self._tensors[product.output].elements // right.columns
        first, last = (rows * edge for edge in columns)
        made = operand(output, first, last)
        if grid.row > 1:
            made = operand(partial_name(output), first, last, low, high)
        return Operation(self._name, Function.MATRIX_PRODUCT, tuple(reads), (made,))

    def partial_sums(self) -> tuple[Operand, ...]:
        """Return what a reduce-scatter exchanges: shards, with each chip's parts."""
        product, right = self._product()
        parts = self._plan.strategy.rows(right.rows)
        edges = self._edges(product.output, 0)
        output = self._makes[product.output]
        return (shards(partial_name(output), *edges, *parts),)

    def total(self) -> Operation:
        """Return the sum of all parts of each chip's share of a product's result."""
        product, right = self._product()
        edges = self._edges(product.output, 0)
        output = self._makes[product.output]
        reads = (operand(partial_name(output), *edges, 0, right.rows),)
        return Operation(self._name, Function.TOTAL, reads, (operand(output, *edges),))

    def pairs(self) -> Operation:
        """Return products in pairs, of which each chip has some."""
        product, right = self._product()
        count = right.matrices
        reads = [self._matrices(n, count) for n in (*product.left, product.right)]
        (made,) = self.shard(product.output, count)
        return Operation(self._name, Function.PAIRED_PRODUCT, tuple(reads), (made,))

    def lookup(self) -> Operation:
        """Return a lookup, of which each chip has columns of the tables."""
        lookup = self._operator
        assert isinstance(lookup, Lookup)
        columns = self._tensors[lookup.output].columns
        edges = self._plan.strategy.even_edges(columns)
        reads = [
            operand(name, 0, self._none + self._tensors[table].rows, *edges)
            for table in lookup.tables
            for name in matrix_names(self._tensors[table])
        ]
        reads += [self._whole(name) for name in lookup.index]
        made = self.shard(lookup.output, 0)
        return Operation(self._name, Function.LOOKUP_ROWS, tuple(reads), made)

    def vector(self) -> Operation:
        """Return a vector operator that every chip runs on all elements."""
        # What it takes in several places is there once.
        names = dict.fromkeys(self._operator.reads)
        reads = [each for name in names for each in self._all(name)]
        made = tuple(
            operand(value, 0, self._none + self._tensors[name].elements)
            for name, value in self._makes.items()
        )
        return Operation(self._name, Function.VECTOR, tuple(reads), made)

    def chained(self, before: Matmul) -> Operation:
        """Return a vector operator on each chip's part of the product before it."""
        vector = self._operator
        assert isinstance(vector, Vector)
        count = self._tensors[before.right].matrices
        reads = [
            each
            for name in vector.inputs
            for each in self._passing(vector, name, before, count)
        ]
        made = [each for name in vector.outputs for each in self.shard(name, count)]
        return Operation(self._name, Function.VECTOR, tuple(reads), tuple(made))

    def shard(self, name: str, matrices: int) -> tuple[Operand, ...]:
        """Return the part of a result that each chip makes.

        Parameters
        ----------
        name
            Name of the result in the workload.
        matrices
            Matrices that are distributed, where neither columns nor rows are.
        """
        return (operand(self._makes[name], *self._edges(name, matrices)),)

    def _product(self) -> tuple[Matmul, Tensor]:
        product = self._operator
        assert isinstance(product, Matmul)
        return product, self._tensors[product.right]

    def _edges(self, name: str, matrices: int) -> Edges:
        """Return the first and the end element of each chip's part of a tensor."""
        grid, tensor = self._plan.strategy, self._tensors[name]
        split = self._plan.columns.get(name)
        if split is not None:
            return grid.part_edges(tensor.elements, split)
        # Shares of columns of a lookup, or of matrices.
        count = matrices or tensor.columns
        first, last = grid.even_edges(count)
        each = tensor.elements // count
        return each * first, each * last

    def _whole(self, name: str) -> Operand:
        """Return all elements of an operand on each chip."""
        return operand(self._reads[name], 0, self._none + self._tensors[name].elements)

    def _all(self, name: str) -> tuple[Operand, ...]:
        """Return an operand in whole, weights as matrices."""
        tensor = self._tensors[name]
        if tensor.role is not Role.WEIGHTS:
            return (self._whole(name),)
        return tuple(
            operand(each, 0, self._none + tensor.rows, 0, tensor.columns)
            for each in matrix_names(tensor)
        )

    def _streamed(self, name: str, low: Ints, high: Ints) -> Operand:
        """Return the columns of a left operand that meet each chip's rows.

        Parameters
        ----------
        name
            The operand.
        low, high
            Rows of the weights, counted from those that its first column meets.
        """
        tensor = self._tensors[name]
        first = np.clip(low, 0, tensor.columns)
        last = np.clip(high, 0, tensor.columns)
        rows = tensor.matrices * tensor.rows
        if self._plan.numberings[name] == Numbering(rows, tensor.columns):
            return operand(self._reads[name], rows * first, rows * last)
        # Its elements are counted in another order, so that they are no range.
        return operand(self._reads[name], 0, tensor.elements * (first < last))

    def _matrices(self, name: str, count: int) -> Operand:
        """Return each chip's matrices of an operand, of `count` of them."""
        tensor = self._tensors[name]
        if self._plan.numberings[name] != in_order(tensor.elements):
            return self._whole(name)
        first, last = self._plan.strategy.even_edges(count)
        each = tensor.elements // count
        return operand(self._reads[name], each * first, each * last)

    def _passing(
        self, vector: Vector, name: str, before: Matmul, count: int
    ) -> tuple[Operand, ...]:
        """Return what each chip reads of an operand of a chained operator."""
        tensor, known = self._tensors[name], self._plan.numberings
        if tensor.role is Role.WEIGHTS:
            return self._all(name)
        value = self._reads[name]
        if vector.function is None:
            if name in self._plan.columns or name == before.output:
                return (operand(value, *self._edges(name, count)),)
            return (self._whole(name),)
        result = vector.outputs[0]
        first, last = self._edges(result, count)
        if known[name] == known[result]:
            return (operand(value, first, last),)
        blocks = vector.blocks
        if known[name] == known[result]._replace(blocks=blocks):
            return (operand(value, blocks * first, blocks * last),)
        return (self._whole(name),)


def matrix_names(tensor: Tensor) -> tuple[str, ...]:
    """Return the names of the matrices of a workload's weights, as in its plan."""
    if tensor.matrices == 1:
        return (tensor.name,)
    return tuple(f"{tensor.name}[{number}]" for number in range(tensor.matrices))


def partial_name(name: str) -> str:
    """Return the name of a workload's value while it is a sum of several parts."""
    return f"{name} (partial)"
