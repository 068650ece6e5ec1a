"""Cuts of a feed-forward: the intermediate columns of each chip, and its experts."""

from typing import NamedTuple, final

import numpy as np

from sharding.operators.operands import Operand, operand
from sharding.operators.operator_builders import (
    MatrixParts,
    StoredMatrices,
    stored_matrices,
)
from sharding.parallelism.tensor_group import Range, Routing
from sharding.partition.block_partition import BlockPartition
from sharding.partition.expert_routing import Routed, routed
from sharding.weights.stored_weights import matrices_of
from specs.arrays import Ints
from specs.model_formats import WeightGroup
from workloads.attributes import ProductAttributes
from workloads.feed_forward_attributes import ActivateAttributes, ChoiceAttributes
from workloads.operators import Function as GraphFunction
from workloads.operators import GraphOperator, is_shared


def unscaled(name: str) -> str:
    """Return the name of a product's sharded result before the norm's factor."""
    block, _, value = name.rpartition(".")
    return f"{block}.unscaled_{value}"


@final
class FeedForwardCuts(NamedTuple):
    """Cuts of a feed-forward block, or of a part of it, on each chip of a group.

    The intermediate columns of expert groups are numbered one group after the other. A
    column has an element for each expert that the schedule has room for.

    Attributes
    ----------
    part
        The block.
    """

    part: BlockPartition

    @property
    def work(self) -> Routed:
        """Return the experts and pairs for which a group has room."""
        return routed(self.part.task, self.part.block.layer)

    @property
    def experts(self) -> int:
        """Return the number of experts."""
        attributes = self.part.attributes(GraphFunction.ACTIVATE, ActivateAttributes)
        return attributes.experts

    @property
    def chosen(self) -> int:
        """Return the experts that each token chooses."""
        return self.part.attributes(
            GraphFunction.CHOOSE, ChoiceAttributes
        ).experts_per_token

    @property
    def size(self) -> int:
        """Return the intermediate size of an expert."""
        activated = self.part.output_of(GraphFunction.ACTIVATE)
        return self.part.columns(activated) // self.experts

    @property
    def span(self) -> tuple[int, int]:
        """Return the intermediate columns of the block's part, end exclusive."""
        return self.part.block.range_of(self.size)

    @property
    def shared_size(self) -> int:
        """Return the intermediate size of the shared expert, 0 without."""
        return sum(
            self.part.columns(operator.outputs[0])
            for operator in self.part.operators
            if operator.function is GraphFunction.ACTIVATE and is_shared(operator.name)
        )

    @property
    def shared(self) -> Range:
        """Return the intermediate columns of the shared expert on each chip.

        A chip has the same part of them as it has of all columns of all groups, so that
        whoever adds up the one has added up the other.
        """
        own, whole = self.grouped(self.columns), self.size * self.part.group.expert
        return Range(
            own.start * self.shared_size // whole, own.end * self.shared_size // whole
        )

    @property
    def columns(self) -> Range:
        """Return the intermediate columns of each chip."""
        return self.part.group.column_range(*self.span)

    @property
    def activated(self) -> Range:
        """Return the intermediate columns that each chip activates."""
        return self.part.group.activated_range(*self.span)

    def grouped(self, columns: Range) -> Range:
        """Return `columns` as they are numbered group after group of experts."""
        offset = self.part.group.experts_of * self.size
        return Range(columns.start + offset, columns.end + offset)

    @property
    def summed(self) -> tuple[tuple[int, int], ...]:
        """Return the ranges of columns over which all chips' partial sums are added."""
        block, groups = self.part.block, self.part.group.expert
        if block.opens and block.closes:
            # The ranges of all groups follow each other.
            return ((0, groups * self.size),)
        low, high = self.span
        offsets = range(0, groups * self.size, self.size)
        return tuple((low + offset, high + offset) for offset in offsets)

    def by_expert(self, value: str, columns: Range, *parts: Ints) -> Operand:
        """Return the regions of `columns` in each expert that a chip holds."""
        group = self.part.group
        held = self.experts // group.expert
        expert = np.repeat(group.experts_of * held, held)
        expert = expert + np.tile(np.arange(held), group.width)
        offset = expert * self.size
        regions = operand(
            value,
            np.repeat(columns.start, held) + offset,
            np.repeat(columns.end, held) + offset,
            *(np.repeat(edge, held) for edge in parts),
        )
        return regions._replace(member=regions.member // held)

    def choice(self) -> tuple[Operand, ...]:
        """Return the chosen experts, none in a dense feed-forward."""
        if not self.part.is_routed:
            return ()
        chosen = self.part.output_of(GraphFunction.CHOOSE)
        return (operand(chosen, 0, self.experts * self.part.ones),)


def shared_cut(part: BlockPartition, operator: GraphOperator) -> Range | None:
    """Return the shared expert's columns that a product multiplies, None without.

    A chip without columns has none of the shared expert either.
    """
    several = operator.attributes_as(ProductAttributes).lefts > 1
    return FeedForwardCuts(part).shared if several else None


def is_routed(part: BlockPartition, operator: GraphOperator) -> bool:
    """Return whether a product is of experts, of which a router chooses some."""
    return part.is_routed and not is_shared(operator.name)


def is_addressed(part: BlockPartition, operator: GraphOperator) -> bool:
    """Return whether the router's result is the address of a product's weights.

    They cannot be loaded ahead then.
    """
    return is_routed(part, operator) and part.task.routing is not Routing.ALL


def stored_product(
    part: BlockPartition,
    operator: GraphOperator,
    rows: tuple[Range, ...],
    columns: tuple[Range, ...],
) -> StoredMatrices:
    """Return the stored matrices of a product: of experts chosen, and the shared."""
    formats, layer = part.task.formats, part.block.layer
    shared = formats.of(WeightGroup.SHARED_EXPERTS, layer)
    if is_shared(operator.name):
        return stored_matrices(MatrixParts(shared, rows, columns))
    own = formats.of(matrices_of(part.task.model, part.block), layer)
    chosen = MatrixParts(own, rows, columns, multiplied_experts(part, operator))
    beside = shared_cut(part, operator)
    others = () if beside is None else (MatrixParts(shared, rows, (beside,)),)
    return stored_matrices(chosen, *others)


def multiplied_experts(part: BlockPartition, operator: GraphOperator) -> int:
    """Return the experts whose matrices a chip multiplies, 1 outside of experts."""
    routed = is_routed(part, operator)
    return FeedForwardCuts(part).work.experts if routed else 1
