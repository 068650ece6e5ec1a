"""A block of the operator graph on a tensor group: its sizes, and who has which part.

A block's first products are cut by what they make: heads, intermediate columns or rows
of the vocabulary. Its last product is cut by what it reads, so that each chip has a
partial sum of the output. Between blocks each chip has a shard of the hidden dimension.
"""

from functools import cached_property, lru_cache
from typing import TypeVar, final

import numpy as np

from sharding.parallelism.overlap import (
    NO_OVERLAP,
    Overlap,
    other_columns,
    own_columns,
)
from sharding.parallelism.ranges import HeadSplit, bounds
from sharding.parallelism.tensor_group import Range, TensorGroup
from sharding.weights.blocks import Block, BlockKind
from sharding.weights.task import FP32_BYTES, Task
from specs.arrays import Ints
from specs.graph import Role
from specs.model import ModelSpec
from workloads.attributes import (
    AttentionAttributes,
    LinearAttributes,
    NormAttributes,
    PositionAttributes,
    Rows,
)
from workloads.model_graph import graph_of
from workloads.operator_graph import Block as GraphBlock
from workloads.operators import Function, GraphOperator, multiplies_residual

A = TypeVar("A")


@final
class BlockPartition:
    """A graph's block on the chips of a task's tensor group.

    Parameters
    ----------
    task
        The task.
    block
        The block, or a part of it.
    overlap
        Which of its exchanges run beside products.

    Attributes
    ----------
    task
        The task, with the positions that the block computes: a decoder's head computes
        those that are answered.
    block, overlap
        As above.
    operators
        Operators of the whole block in order, with names for any layer.
    """

    def __init__(self, task: Task, block: Block, overlap: Overlap = NO_OVERLAP) -> None:
        graph = _graph_block(task.model, block)
        self.operators = graph.operators
        self._tensors = {tensor.name: tensor for tensor in graph.tensors}
        # The first of each function.
        self._by_function = {o.function: o for o in reversed(graph.operators)}
        first = self.operators[0].attributes
        answers = isinstance(first, NormAttributes) and first.rows is Rows.ANSWERED
        self.task = task.answering() if answers else task
        self.block = block
        self.overlap = overlap

    @property
    def group(self) -> TensorGroup:
        """Return the tensor group, of one expert group in a dense block."""
        group = self.task.group
        return group if self.is_routed else group._replace(expert=1)

    def columns(self, name: str) -> int:
        """Return the columns of a tensor of the block: its features."""
        return self._tensors[name].columns

    def rows(self, name: str) -> int:
        """Return the rows of a weight tensor of the block: its output features."""
        return self._tensors[name].rows

    def is_weights(self, name: str) -> bool:
        """Return whether a tensor is one of the block's weights."""
        return name in self._tensors and self._tensors[name].role is Role.WEIGHTS

    def find(self, function: Function) -> GraphOperator | None:
        """Return the first operator with a function, None if there is none."""
        return self._by_function.get(function)

    def output_of(self, function: Function) -> str:
        """Return the first result of the block's operator with a function."""
        operator = self.find(function)
        assert operator is not None, f"{self.block.kind} has no {function}"
        return operator.outputs[0]

    def attributes(self, function: Function, kind: type[A]) -> A:
        """Return the attributes of the block's operator with a function."""
        operator = self.find(function)
        assert operator is not None, f"{self.block.kind} has no {function}"
        return operator.attributes_as(kind)

    def readers(self, name: str) -> int:
        """Return how many operators of the block read a tensor."""
        return sum(name in operator.inputs for operator in self.operators)

    def is_summed(self, product: GraphOperator) -> bool:
        """Return whether the chips make partial sums of a product's result."""
        add = self.find(Function.ADD)
        return add is not None and add.inputs[0] == product.outputs[0]

    @cached_property
    def hidden(self) -> int:
        """Hidden size: columns of what the block's first operator makes or reads."""
        first = self.operators[0]
        of_matrix = multiplies_residual(first)
        return self.columns(first.inputs[1] if of_matrix else first.outputs[0])

    @cached_property
    def shard(self) -> Range:
        """Each chip's shard of the hidden dimension."""
        return self.group.shards(self.hidden)

    @cached_property
    def own(self) -> Range:
        """Columns of each chip's shard that a product does beside an exchange."""
        return own_columns(self.shard, self.task.machine.chip.lanes)

    @cached_property
    def slices(self) -> int:
        """Most slices of a block's input that a chip multiplies one by one."""
        if not self.overlap.gather:
            return 1
        before, after = other_columns(self.own, self.hidden)
        others = 1 * (before.sizes > 0) + (after.sizes > 0)
        return 1 + int(others.max())

    @property
    def sums_in_passing(self) -> bool:
        """Return whether slices are summed by the operator behind the first product.

        They are unless chips exchange what it makes, or norm it by heads.
        """
        if not self.overlap.gather or self.feeds_forward:
            return self.overlap.gather
        if self.is_linear or self.has_latents:
            return False
        rotary = self.attributes(Function.POSITION, PositionAttributes).rotary
        shared = (self.heads.members > 1).any() or self.find(Function.HEAD_NORM)
        return rotary is not None and not shared

    @property
    def norm_sums(self) -> str:
        """Return the name of the sums that the block's norm needs."""
        operator = self.find(Function.NORM_WEIGH)
        assert operator is not None
        return operator.outputs[1]

    @property
    def norm_sum_bytes(self) -> int:
        """Return the bytes of a token's partial norm sums on a chip."""
        return FP32_BYTES * self.columns(self.norm_sums)

    @property
    def router_bytes(self) -> int:
        """Return the bytes of a token's partial expert scores, 0 in a dense block."""
        router = self.find(Function.ROUTER)
        return FP32_BYTES * self.columns(router.outputs[0]) if router else 0

    def normed_shard_bytes(self, extra_bytes: int = 0) -> Ints:
        """Return the bytes of each chip's residual shard with its norm sums.

        Each token adds `extra_bytes`; the result is of shape ``(width,)``.
        """
        added = self.norm_sum_bytes + extra_bytes
        return self.task.shard_bytes() + self.task.tokens * added

    @property
    def attends(self) -> bool:
        """Return whether it is a block of attention, linear or not."""
        return self.find(Function.SCORES) is not None or self.is_linear

    @property
    def is_linear(self) -> bool:
        """Return whether it is a block of linear attention."""
        return self.find(Function.DELTA_RULE) is not None

    @property
    def has_latents(self) -> bool:
        """Return whether it is a block of latent attention."""
        return self.find(Function.LATENT_NORM) is not None

    @cached_property
    def heads(self) -> HeadSplit:
        """Key/value heads of each chip; those of keys in linear attention."""
        if self.is_linear:
            linear = self.attributes(Function.DELTA_RULE, LinearAttributes).linear
            return self.group.heads(linear.key_heads, self.block.layer)
        attributes = self.attributes(Function.SCORES, AttentionAttributes)
        return self.group.heads(attributes.kv_heads, self.block.layer)

    @property
    def feeds_forward(self) -> bool:
        """Return whether it is a feed-forward block."""
        return self.block.kind is BlockKind.FEED_FORWARD

    @property
    def is_routed(self) -> bool:
        """Return whether it is a block of experts, of which a router chooses some."""
        return self.find(Function.ROUTER) is not None

    @property
    def pools(self) -> bool:
        """Return whether it is the head of an encoder."""
        return Rows.FIRST in {
            getattr(operator.attributes, "rows", None) for operator in self.operators
        }

    @property
    def in_grid(self) -> bool:
        """Return whether each chip multiplies a part of the input's columns."""
        return self.feeds_forward and self.group.inputs > 1

    @property
    def overlaps(self) -> Overlap:
        """Return which exchanges may run beside products at all.

        A LayerNorm subtracts a mean before the product, and what a router has not
        chosen yet is not multiplied.
        """
        group = self.group
        ways = group.width > 1 and group.alternating_groups == 1
        ways &= not self.in_grid and not self.is_routed
        norm = self.find(Function.NORM_SCALE)
        product = self.find(Function.PRODUCT)
        if not ways or product is None or self.find(Function.ADD) is None:
            return NO_OVERLAP
        summed = any(
            self.is_summed(each)
            for each in self.operators
            if each.function is Function.PRODUCT
        )
        gather = (
            norm is not None
            and not norm.attributes_as(NormAttributes).centred
            and norm.outputs[0] == product.inputs[0]
            and self.readers(norm.outputs[0]) == 1
        )
        return Overlap(gather, summed)

    @cached_property
    def inputs(self) -> Range:
        """Columns of the block's input that each chip multiplies."""
        if self.in_grid:
            return self.group.input_range(self.hidden)
        return Range(0 * self.ones, self.hidden * self.ones)

    @cached_property
    def outputs(self) -> Range:
        """Rows of a head's matrix that each chip multiplies."""
        product = self.find(Function.PRODUCT)
        assert product is not None
        low, high = self.block.range_of(self.columns(product.outputs[0]))
        edges = low + bounds(high - low, self.task.tensor)
        return Range(edges[:-1], edges[1:])

    @cached_property
    def ones(self) -> Ints:
        """A one for each chip, shape ``(width,)``."""
        return np.ones(self.task.tensor, dtype=np.int64)

    @property
    def one_team(self) -> Ints:
        """Return the exchange groups of an exchange among all chips: one group."""
        return 0 * self.ones


def _graph_block(model: ModelSpec, block: Block) -> GraphBlock:
    """Return the graph's block, with the layers that attend alike."""
    return next(
        each
        for each in _graph_blocks(model)
        if each.name == block.kind and (not each.layers or block.layer in each.layers)
    )


@lru_cache(maxsize=16)
def _graph_blocks(model: ModelSpec) -> tuple[GraphBlock, ...]:
    """Return the blocks of a model's graph.

    What is cut are columns: features. They are the same for any number of rows.
    """
    return graph_of(model, context=1, batch=1).blocks
