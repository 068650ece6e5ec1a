"""The job that a plan is made for, and what its products and vectors cost on a chip."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from sharding.slices import Ints, shard_sizes
from sharding.units import Block, Kind
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
    """

    model: ModelSpec
    machine: MachineSpec
    tensor: int
    context: int
    batch: int

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
        return self.context if self.model.structure.encoder else 1

    @property
    def tokens(self) -> int:
        """Return all positions that are computed together."""
        return self.batch * self.sequence_tokens

    def attended_tokens(self, block: Block) -> int:
        """Return the positions that the layer of `block` attends to."""
        return self.model.attended_tokens(block.layer, self.context)

    def like(self, block: Block) -> Block:
        """Return the first block of the model that has the same sizes as `block`."""
        attends = block.kind is Kind.ATTENTION
        return block._replace(
            layer=self.model.layer_like(block.layer) if attends else 0
        )

    def shard_bytes(self) -> Ints:
        """Return the bytes of each chip's shard of the residual stream."""
        sizes = shard_sizes(self.model.hidden_size, self.tensor) * self.tokens
        return bytes_of(self.activation_format, sizes)

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
