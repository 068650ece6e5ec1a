"""Regions of a feed-forward: what each of its operations reads and makes."""

from typing import NamedTuple, final

import numpy as np

from chip.dataflow import Function
from sharding.operators.expert_routing import Routed
from sharding.operators.operands import Operand, Operation, operand, shards
from sharding.operators.partial_sums import PartialSum
from sharding.parallelism.tensor_group import Range
from sharding.weights.blocks import Block
from sharding.weights.task import Task
from specs.arrays import Ints

FEED_FORWARD = "layers.{layer}.feed_forward"


@final
class FeedForwardRegions(NamedTuple):
    """Regions of a feed-forward block on each chip of a group, by operation.

    The intermediate columns of expert groups are numbered one group after the other. A
    column has an element for each expert that the schedule has room for.

    Attributes
    ----------
    task, block
        The task and the block.
    work
        Experts and pairs for which a group has room.
    """

    task: Task
    block: Block
    work: Routed

    @property
    def _low(self) -> int:
        return self.block.range_of(self.task.model.intermediate_size)[0]

    @property
    def _high(self) -> int:
        return self.block.range_of(self.task.model.intermediate_size)[1]

    @property
    def columns(self) -> Range:
        """Return the intermediate columns of each chip."""
        return self.task.group.column_range(self._low, self._high)

    @property
    def activated(self) -> Range:
        """Return the intermediate columns that each chip activates."""
        return self.task.group.activated_range(self._low, self._high)

    @property
    def inputs(self) -> Range:
        """Return the columns of the input that each chip multiplies."""
        return self.task.group.input_range(self.task.model.hidden_size)

    @property
    def _unscaled(self) -> bool:
        """Return whether the product is of the weighed input, without its factor."""
        return self.task.group.inputs > 1

    @property
    def _inward(self) -> tuple[str, ...]:
        return ("gate", "up") if self.task.model.structure.gated else ("up",)

    def _grouped(self, columns: Range) -> Range:
        """Return `columns` as they are numbered group after group of experts."""
        offset = self.task.group.experts_of * self.task.model.intermediate_size
        return Range(columns.start + offset, columns.end + offset)

    def _experts(self, value: str, columns: Range, *part: Ints) -> Operand:
        """Return the regions of `columns` in each expert that a chip holds."""
        model, group = self.task.model, self.task.group
        held = model.experts // group.expert
        expert = np.repeat(group.experts_of * held, held)
        expert = expert + np.tile(np.arange(held), self.task.tensor)
        offset = expert * model.intermediate_size
        regions = operand(
            value,
            np.repeat(columns.start, held) + offset,
            np.repeat(columns.end, held) + offset,
            *(np.repeat(edge, held) for edge in part),
        )
        return regions._replace(member=regions.member // held)

    def router_parts(self) -> tuple[Operand, ...]:
        """Return the partial scores of experts that travel with the shards."""
        model = self.task.model
        if model.experts == 1:
            return ()
        shard = self.task.group.shards(model.hidden_size)
        experts = np.full(self.task.tensor, model.experts, dtype=np.int64)
        return (operand(f"{FEED_FORWARD}.router_scores", 0, experts, *shard),)

    def scoring_experts(self) -> tuple[Operation, ...]:
        """Return the product of each chip's shard with the router's weights."""
        model = self.task.model
        shard = self.task.group.shards(model.hidden_size)
        experts = np.full(self.task.tensor, model.experts, dtype=np.int64)
        reads = (
            operand(f"{FEED_FORWARD}.weighed", *shard),
            operand(f"{FEED_FORWARD}.router.weight", 0, experts, *shard),
        )
        made = self.router_parts()
        return (Operation(f"{FEED_FORWARD}.router", Function.ROUTER, reads, made),)

    def choosing(self) -> tuple[Operation, ...]:
        """Return the choice of experts by the sum of all partial scores."""
        model = self.task.model
        experts = np.full(self.task.tensor, model.experts, dtype=np.int64)
        reads = (
            operand(f"{FEED_FORWARD}.router_scores", 0, experts, 0, model.hidden_size),
            operand(
                f"{FEED_FORWARD}.squares", 0, 0 * experts + 1, 0, model.hidden_size
            ),
        )
        made = (operand(f"{FEED_FORWARD}.choice", 0, experts),)
        return (Operation(f"{FEED_FORWARD}.choose", Function.CHOOSE, reads, made),)

    def _choice(self) -> tuple[Operand, ...]:
        """Return the chosen experts, none in a dense feed-forward."""
        model = self.task.model
        if model.experts == 1:
            return ()
        experts = np.full(self.task.tensor, model.experts, dtype=np.int64)
        return (operand(f"{FEED_FORWARD}.choice", 0, experts),)

    def projecting(self) -> tuple[Operation, ...]:
        """Return the products into the feed-forward."""
        source = "weighed" if self._unscaled else "input"
        made = "unscaled_" if self._unscaled else ""
        reads = [operand(f"{FEED_FORWARD}.{source}", *self.inputs), *self._choice()]
        reads += [
            self._experts(f"{FEED_FORWARD}.{name}.weight", self.columns, *self.inputs)
            for name in self._inward
        ]
        parts = self.inputs if self._unscaled else (0, 1)
        columns = self._grouped(self.columns)
        writes = tuple(
            operand(f"{FEED_FORWARD}.{made}{name}", *columns, *parts)
            for name in self._inward
        )
        name = "gate_up" if self.task.model.structure.gated else "up"
        return (
            Operation(f"{FEED_FORWARD}.{name}", Function.PRODUCT, tuple(reads), writes),
        )

    def unscaled_parts(self) -> tuple[Operand, ...]:
        """Return what the chips of a grid column reduce-scatter."""
        edges = self.task.group.input_range(self.task.model.hidden_size)
        return tuple(
            shards(f"{FEED_FORWARD}.unscaled_{name}", *self.activated, *edges)
            for name in self._inward
        )

    def row_squares(self) -> tuple[Operand, ...]:
        """Return the norm sums of each chip's grid row: those of all its shards."""
        group = self.task.group
        shard = group.shards(self.task.model.hidden_size)
        rows = [np.flatnonzero(group.row == row) for row in group.row.tolist()]
        held = np.concatenate(rows)
        member = np.repeat(group.members, [len(row) for row in rows])
        sums = 0 * member + self.task.norm_sums
        edges = 0 * member, sums, shard.start[held], shard.end[held]
        return (Operand(f"{FEED_FORWARD}.squares", member, *edges),)

    def summing(self) -> tuple[Operation, ...]:
        """Return the sum of each chip's columns, times the norm's factor."""
        hidden = self.task.model.hidden_size
        sums = np.full(self.task.tensor, self.task.norm_sums, dtype=np.int64)
        reads = [
            operand(f"{FEED_FORWARD}.unscaled_{name}", *self.activated, 0, hidden)
            for name in self._inward
        ]
        squares = operand(f"{FEED_FORWARD}.squares", 0, sums, 0, hidden)
        made = [
            operand(f"{FEED_FORWARD}.{name}", *self.activated) for name in self._inward
        ]
        return (
            Operation(
                f"{FEED_FORWARD}.scale",
                Function.SUM_SCALE,
                (*reads, squares),
                tuple(made),
            ),
        )

    def activating(self, columns: Range) -> tuple[Operation, ...]:
        """Return the activation of each chip's columns."""
        grouped = self._grouped(columns)
        reads = [operand(f"{FEED_FORWARD}.{name}", *grouped) for name in self._inward]
        if self.task.model.feed_forward_biases:
            reads += [
                self._experts(f"{FEED_FORWARD}.{name}.bias", columns)
                for name in self._inward
            ]
        made = (operand(f"{FEED_FORWARD}.activated", *grouped),)
        return (
            Operation(
                f"{FEED_FORWARD}.activate",
                Function.ACTIVATE,
                (*reads, *self._choice()),
                made,
            ),
        )

    def contracting(self) -> tuple[Operation, ...]:
        """Return the product of each chip's activated columns with its weights."""
        # A region of the weights is its rows, and the columns of every expert.
        weights = self._experts(f"{FEED_FORWARD}.down.weight", self.columns)
        inputs = self.inputs
        weights = weights._replace(
            first=inputs.start[weights.member],
            last=inputs.end[weights.member],
            part_first=weights.first,
            part_last=weights.last,
        )
        columns = self._grouped(self.columns)
        activated = operand(f"{FEED_FORWARD}.activated", *columns)
        partial = operand(f"{FEED_FORWARD}.partial", *inputs, *columns)
        reads = (activated, *self._choice(), weights)
        return (Operation(f"{FEED_FORWARD}.down", Function.PRODUCT, reads, (partial,)),)

    @property
    def partial_sum(self) -> PartialSum:
        """Return the partial sums of the block's output."""
        size = self.task.model.intermediate_size
        groups = range(0, self.task.expert * size, size)
        whole = tuple((self._low + first, self._high + first) for first in groups)
        if self.block.opens and self.block.closes:
            # The ranges of all groups follow each other.
            whole = ((0, self.task.expert * size),)
        return PartialSum(
            self.block,
            FEED_FORWARD,
            self._grouped(self.columns),
            whole,
            "down.bias",
            self._choice(),
        )
