"""The job that a plan is made for, and what its products and vectors cost on a chip."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from sharding.parallelism.strategy import Strategy
from sharding.parallelism.tensor_group import (
    FeedForwardLayout,
    Routing,
    TensorGroup,
    group_of,
)
from sharding.transformer.blocks import Block, BlockKind
from specs.arrays import Ints
from specs.formats import Format
from specs.machine import MachineSpec
from specs.model import ModelSpec

FP32_BYTES = 4


def bytes_of(number_format: Format, elements: Ints) -> Ints:
    """Return the bytes that each chip's `elements` take, whole bytes."""
    return each(number_format.bytes_of, elements)


def each(cost: Callable[[int], int], amounts: Ints) -> Ints:
    """Return the cost of each chip's amount; chips of one amount are asked once."""
    known = {amount: cost(amount) for amount in set(amounts.tolist())}
    return np.array([known[amount] for amount in amounts.tolist()], dtype=np.int64)


class Task(NamedTuple):
    """The job that a plan is made for.

    Attributes
    ----------
    model, machine
        What runs on what.
    tensor
        Chips in a tensor group.
    context
        Positions in the KV cache; the length of a sequence for an encoder.
    batch
        Sequences that advance together, by a token each or, in an encoder, whole.
    expert, attention, layout, routing
        How the group shares a layer, as in `sharding.parallelism.strategy.Strategy`.
    query_tokens
        Positions of a sequence that are computed together, the last ones of its
        context: one in a decode token, more in a chunk of a prompt or where drafted
        tokens are verified. Each attends to itself and what is before it. Of no
        meaning for an encoder, which computes all of them.
    answer_tokens
        The last ones of these that go through the head.
    """

    model: ModelSpec
    machine: MachineSpec
    tensor: int
    context: int
    batch: int
    expert: int = 1
    attention: int = 0
    layout: FeedForwardLayout = FeedForwardLayout.ONE_D
    routing: Routing = Routing.WORST
    query_tokens: int = 1
    answer_tokens: int = 1

    def split_as(self, strategy: Strategy) -> "Task":
        """Return the job on groups that share a layer as `strategy` says."""
        return self._replace(
            tensor=strategy.tensor,
            expert=strategy.expert,
            attention=strategy.attention,
            layout=strategy.layout,
            routing=strategy.routing,
        )

    @property
    def group(self) -> TensorGroup:
        """Return how the chips of a group share a layer."""
        return group_of(self.tensor, self.expert, self.attention, self.layout)

    @property
    def activation_format(self) -> Format:
        """Return the format of activations."""
        return self.machine.formats.activations

    @property
    def cached_format(self) -> Format:
        """Return the format of keys and values; an encoder's are activations."""
        formats = self.machine.formats
        encoder = self.model.structure.encoder
        return formats.activations if encoder else formats.kv_cache

    @property
    def sequence_tokens(self) -> int:
        """Return the positions of a sequence that are computed together."""
        return self.context if self.model.structure.encoder else self.query_tokens

    @property
    def tokens(self) -> int:
        """Return all positions that are computed together."""
        return self.batch * self.sequence_tokens

    def attended_tokens(self, block: Block) -> int:
        """Return the positions that the last one attends to in the layer of `block`."""
        return self.model.attended_tokens(block.layer, self.context)

    def cached_tokens(self, block: Block) -> int:
        """Return the positions that any of those computed attends to, all together."""
        attended = self.attended_tokens(block)
        if self.model.structure.encoder:
            return attended
        return min(self.context, attended + self.query_tokens - 1)

    def score_tokens(self, block: Block, members: Ints) -> Ints:
        """Return how many positions the queries of a sequence meet, added up.

        Query position i, from 1, meets the last min(i, window) positions. They are
        dealt out to the members of a KV-head group in turn.

        Parameters
        ----------
        block
            Attention of a layer.
        members
            Chips that share the context of a head, shape ``(width,)``.
        """
        attended = self.attended_tokens(block)
        if self.model.structure.encoder:
            return self.context * -(-attended // members)
        first = self.context - self.query_tokens + 1
        met = np.minimum(np.arange(first, self.context + 1), attended)
        return each(lambda team: int((-(-met // team)).sum()), members)

    def answering(self) -> "Task":
        """Return the job of the head: the positions that it answers.

        An encoder's sees all of them.
        """
        return self._replace(query_tokens=self.answer_tokens)

    def like(self, block: Block) -> Block:
        """Return the first block of the model that has the same sizes as `block`."""
        if block.kind is not BlockKind.ATTENTION:
            return block._replace(layer=0)
        turns = self.group.turns
        if turns == 1:
            return block._replace(layer=self.model.layer_like(block.layer))
        windowed = self.model.windowed_layers
        # Alike is also who has the attention.
        like = next(
            layer
            for layer in range(block.layer % turns, block.layer + 1, turns)
            if (layer in windowed) == (block.layer in windowed)
        )
        return block._replace(layer=like)

    def shard_sizes(self) -> Ints:
        """Return the elements of each chip's shard of the residual stream."""
        return self.group.shards(self.model.hidden_size).sizes

    def shard_bytes(self) -> Ints:
        """Return the bytes of each chip's shard of the residual stream."""
        return bytes_of(self.activation_format, self.shard_sizes() * self.tokens)

    def normed_shard_bytes(self, extra_bytes: int = 0) -> Ints:
        """Return a shard's bytes with what rides along for each token.

        That is what its norm sums up, plus `extra_bytes`.
        """
        return self.shard_bytes() + self.tokens * (self.norm_sum_bytes + extra_bytes)

    @property
    def norm_sum_bytes(self) -> int:
        """Return the bytes of what a norm adds up over the chips for a token.

        That is the sum of squares and, in a LayerNorm, the sum.
        """
        return FP32_BYTES * (2 if self.model.structure.layer_norms else 1)

    def router_bytes(self) -> int:
        """Return the bytes of one token's partial expert scores, 0 if dense."""
        return FP32_BYTES * self.model.experts if self.model.experts > 1 else 0

    def operand_bytes(self, stored: Format) -> int:
        """Return the bytes at which an element enters the matrix unit.

        At least what it takes in memory, and what the machine feeds anyway.
        """
        return max(self.machine.chip.operand_bytes, stored.bytes_of(1))
