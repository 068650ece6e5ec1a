"""The task of a plan: model, machine, context and batch, and their derived sizes."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from chip.mxm_tiling import mode_bytes
from sharding.parallelism.strategy import Strategy
from sharding.parallelism.tensor_group import (
    FeedForwardLayout,
    Routing,
    TensorGroup,
    group_of,
)
from sharding.weights.blocks import Block, BlockKind
from specs.arrays import Ints
from specs.formats import Format
from specs.machine import MachineSpec
from specs.model import ModelSpec
from specs.model_formats import ModelFormats
from specs.quantized_modules import groups_in
from specs.short_repr import short_repr

FP32_BYTES = 4


def bytes_of(number_format: Format, elements: Ints) -> Ints:
    """Return each chip's whole bytes of transformer or graph `elements` in a format."""
    return _cost_per_chip(number_format.bytes_of, elements)


def _cost_per_chip(cost: Callable[[int], int], amounts: Ints) -> Ints:
    """Return the cost of each chip's amount, evaluated once for equal amounts."""
    known = {amount: cost(amount) for amount in set(amounts.tolist())}
    return np.array([known[amount] for amount in amounts.tolist()], dtype=np.int64)


class Task(NamedTuple):
    """A task: a model on a machine, with its context, batch and tensor group.

    Attributes
    ----------
    model, machine
        The model and the machine that runs it.
    tensor
        Chips of a tensor group.
    context
        Positions in the KV cache; for an encoder, the length of a sequence.
    batch
        Sequences that advance together: by a token each, or whole in an encoder.
    expert, attention, layout, routing
        Split within the group, as in `sharding.parallelism.strategy.Strategy`.
    query_tokens
        Positions of a sequence that are computed together, the last of its context:
        one in a decode token, more in a prefill chunk or when drafted tokens are
        verified. Each attends to itself and to the positions before it. An encoder
        ignores it and computes all positions.
    answer_tokens
        The last of these positions that go through the head.
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

    def __repr__(self) -> str:
        return short_repr(self)

    def split_as(self, strategy: Strategy) -> "Task":
        """Return the same task on the tensor groups of `strategy`."""
        return self._replace(
            tensor=strategy.tensor,
            expert=strategy.expert,
            attention=strategy.attention,
            layout=strategy.layout,
            routing=strategy.routing,
        )

    @property
    def group(self) -> TensorGroup:
        """Return the tensor group of the task."""
        return group_of(self.tensor, self.expert, self.attention, self.layout)

    @property
    def activation_format(self) -> Format:
        """Return the number format of activations."""
        return self.machine.formats.activations

    @property
    def cached_format(self) -> Format:
        """Return the number format of keys and values; an encoder's are activations."""
        formats = self.machine.formats
        if self.model.structure.encoder:
            return formats.activations
        return self.model.kv_cache or formats.kv_cache

    @property
    def formats(self) -> ModelFormats:
        """Return the formats of weights: the checkpoint's, or else the machine's."""
        stored = self.machine.formats.weights
        return self.model.formats or ModelFormats.uniform(stored)

    @property
    def formats_text(self) -> str:
        """Return the formats of the model's weights as text, such as ``fp8``."""
        return self.formats.described(groups_in(self.model))

    @property
    def mirrored(self) -> bool:
        """Return whether each stage keeps a copy of the KV cache of the one before."""
        encoder = self.model.structure.encoder
        return self.machine.failover.mirrored and not encoder

    @property
    def sequence_tokens(self) -> int:
        """Return the positions of a sequence that are computed together."""
        return self.context if self.model.structure.encoder else self.query_tokens

    @property
    def tokens(self) -> int:
        """Return the positions of the batch that are computed together."""
        return self.batch * self.sequence_tokens

    def attended_tokens(self, block: Block) -> int:
        """Return the positions that the last query attends to in a block's layer."""
        return self.model.attended_tokens(block.layer, self.context)

    def cached_tokens(self, block: Block) -> int:
        """Return the positions that at least one query of a sequence attends to."""
        attended = self.attended_tokens(block)
        if self.model.structure.encoder:
            return attended
        return min(self.context, attended + self.query_tokens - 1)

    def score_tokens(self, block: Block, members: Ints) -> Ints:
        """Return the attention scores of a sequence's queries for each head and chip.

        Query position i, from 1, attends to the last min(i, window) positions. The
        members of a KV-head group share these evenly, rounded up.

        Parameters
        ----------
        block
            Attention block of a layer.
        members
            Chips that share the context of a head, shape ``(width,)``.

        Returns
        -------
        NDArray
            Pairs of a query and a position, summed over queries, shape ``(width,)``.
        """
        attended = self.attended_tokens(block)
        if self.model.structure.encoder:
            return self.context * -(-attended // members)
        first = self.context - self.query_tokens + 1
        positions = np.minimum(np.arange(first, self.context + 1), attended)
        return _cost_per_chip(
            lambda sharers: int((-(-positions // sharers)).sum()), members
        )

    def answering(self) -> "Task":
        """Return the task of the head, whose queries are the answered positions.

        An encoder's head computes all positions.
        """
        return self._replace(query_tokens=self.answer_tokens)

    def like(self, block: Block) -> Block:
        """Return the first block of the model with the sizes and chips of `block`."""
        return like_block(self.model, block, self.group.alternating_groups)

    def shard_sizes(self) -> Ints:
        """Return the elements of each chip's residual shard of one token."""
        return self.group.shards(self.model.hidden_size).sizes

    def shard_bytes(self) -> Ints:
        """Return the bytes of each chip's residual shard of all tokens."""
        return bytes_of(self.activation_format, self.shard_sizes() * self.tokens)

    def with_setting(self, name: str, value: object) -> "Task":
        """Return this task with a setting of its machine, such as ``formats.weights``.

        Formats of the model's checkpoint give way to one that is set.
        """
        return self._replace(
            machine=self.machine.with_settings({name: value}),
            model=self.model.in_formats_of({name}),
        )

    def operand_bytes(self, stored: Format) -> int:
        """Return the mode of a product with activations: bytes of the wider operand.

        The elements of the matrix are stored in the format `stored`: what is narrower
        than activations is widened on the way. A setting of the machine may override
        the formats.
        """
        both = stored.bytes_of(1), self.activation_format.bytes_of(1)
        return mode_bytes(self.machine.chip, *both)


def like_block(model: ModelSpec, block: Block, alternating_groups: int) -> Block:
    """Return the first transformer block with the sizes and chips of `block`.

    Parameters
    ----------
    model, block
        The model, and one of its blocks.
    alternating_groups
        Groups of chips whose layers alternate.
    """
    if block.kind is BlockKind.FEED_FORWARD:
        return block._replace(layer=model.feed_forward_like(block.layer))
    if block.kind is not BlockKind.ATTENTION:
        return block._replace(layer=0)
    if alternating_groups == 1:
        return block._replace(layer=model.layer_like(block.layer))
    own = model.attention_kind(block.layer)
    # The same members must have the attention.
    like = next(
        layer
        for layer in range(
            block.layer % alternating_groups, block.layer + 1, alternating_groups
        )
        if model.attention_kind(layer) == own
    )
    return block._replace(layer=like)
