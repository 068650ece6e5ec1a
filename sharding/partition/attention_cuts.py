"""Cuts of attention: heads, rows of projections and positions on each chip."""

from typing import NamedTuple, final

import numpy as np

from sharding.operators.operands import Operand, operand
from sharding.operators.operator_builders import (
    MatrixParts,
    StoredMatrices,
    stored_matrices,
)
from sharding.parallelism.ranges import HeadSplit, attending_rows, head_rows
from sharding.parallelism.tensor_group import Range
from sharding.partition.block_partition import BlockPartition
from specs.arrays import Ints
from specs.latent_attention import LatentAttention
from specs.linear_attention import LinearAttention
from specs.model_formats import WeightGroup
from workloads.attributes import AttentionAttributes, LinearAttributes
from workloads.operators import Function as GraphFunction
from workloads.operators import GraphOperator


@final
class AttentionCuts(NamedTuple):
    """Cuts of a layer's attention on each chip of a group.

    Attributes
    ----------
    part
        The block.
    """

    part: BlockPartition

    @property
    def attributes(self) -> AttentionAttributes:
        """Return the number of heads, and their size."""
        return self.part.attributes(GraphFunction.SCORES, AttentionAttributes)

    @property
    def split(self) -> HeadSplit:
        """Return the key/value heads of each chip."""
        return self.part.heads

    @property
    def size(self) -> int:
        """Return the elements of a head."""
        return self.attributes.head_dim

    @property
    def sharing(self) -> int:
        """Return the query heads that share a key/value head."""
        return self.attributes.heads // self.attributes.kv_heads

    @property
    def shared(self) -> bool:
        """Return whether some chips share a head."""
        return bool((self.split.members > 1).any())

    @property
    def teams(self) -> Ints:
        """Return the KV-head group of each chip, shape ``(width,)``.

        A chip without heads is an exchange group of its own.
        """
        alone = self.attributes.kv_heads + self.part.group.members
        return np.where(self.split.heads > 0, self.split.first, alone)

    @property
    def query(self) -> Range:
        """Return the rows of each chip in the query projection."""
        return Range(*head_rows(self.split, self.sharing * self.size))

    @property
    def key(self) -> Range:
        """Return the rows of each chip in the key projection, and in that of values."""
        return Range(*head_rows(self.split, self.size))

    @property
    def touched_heads(self) -> Ints:
        """Return the query and key heads of which each chip's slice has rows."""
        query, key = (
            (-(-rows.end // self.size) - rows.start // self.size) * (rows.sizes > 0)
            for rows in (self.query, self.key)
        )
        return query + key

    def _whole(self, rows: int) -> Range:
        """Return the rows of each chip's whole heads, `rows` for each KV head."""
        first = self.split.first * rows
        return Range(first, first + self.split.heads * rows)

    @property
    def whole_query(self) -> Range:
        """Return the rows of all queries of each chip's heads."""
        return self._whole(self.sharing * self.size)

    @property
    def whole_key(self) -> Range:
        """Return the rows of all keys of each chip's heads."""
        return self._whole(self.size)

    @property
    def query_heads(self) -> Range:
        """Return the query heads of each chip."""
        return self._whole(self.sharing)

    @property
    def context_part(self) -> tuple[Ints, Ints]:
        """Return each chip's part of the context, numbered within its KV-head group."""
        return self.split.member, self.split.member + 1

    def sliced(self, names: tuple[str, ...]) -> tuple[Operand, ...]:
        """Return queries, keys and, if named, values of each chip's slice of heads."""
        cuts = (self.query, self.key, self.key)
        return tuple(operand(n, *cut) for n, cut in zip(names, cuts, strict=False))

    def whole(self, names: tuple[str, ...]) -> tuple[Operand, ...]:
        """Return queries, keys and, if named, values of each chip's whole heads."""
        cuts = (self.whole_query, self.whole_key, self.whole_key)
        return tuple(operand(n, *cut) for n, cut in zip(names, cuts, strict=False))


def beside(operator: GraphOperator, value: str) -> str:
    """Return the name of another value of an operator's block."""
    return f"{operator.name.rpartition('.')[0]}.{value}"


@final
class LatentCuts(NamedTuple):
    """Cuts of a layer's latent attention on each chip of a group.

    A chip has whole heads, and the latents of all positions: heads share them.

    Attributes
    ----------
    part
        The block.
    """

    part: BlockPartition

    @property
    def sizes(self) -> LatentAttention:
        """Return the sizes of latents and heads."""
        attributes = self.part.attributes(GraphFunction.SCORES, AttentionAttributes)
        assert attributes.latent is not None
        return attributes.latent

    @property
    def split(self) -> HeadSplit:
        """Return the heads of each chip."""
        return self.part.heads

    @property
    def attends(self) -> Ints:
        """Return a one for each chip that has heads, else 0; shape ``(width,)``."""
        return (self.split.heads > 0).astype(np.int64)

    def of_heads(self, rows: int) -> Range:
        """Return the rows of each chip's heads, `rows` for each head."""
        first = self.split.first * rows * self.attends
        return Range(first, first + self.split.heads * rows)

    def of_latents(self, rows: int) -> Range:
        """Return the rows of each chip in a projection onto a latent of `rows`."""
        return Range(*attending_rows(self.split, rows))

    def whole(self, columns: int) -> Range:
        """Return all columns on each chip that has heads."""
        return Range(0 * self.attends, columns * self.attends)

    @property
    def context(self) -> Range:
        """Return the columns of values that each chip mixes."""
        return self.of_heads(self.sizes.value_dim)

    def first_products(self, operator: GraphOperator) -> tuple[Range, ...]:
        """Return the columns that each chip makes of a block's first results.

        They are latents, or the queries of heads that are projected at once.
        """
        return tuple(
            self.of_heads(self.sizes.head_dim)
            if name.endswith(".query")
            else self.of_latents(self.part.columns(name))
            for name in operator.outputs
        )

    def latents(self, operator: GraphOperator) -> tuple[Operand, ...]:
        """Return the new latents and the cached ones, which each head reads whole."""
        _, new, _, cache = operator.inputs
        whole = self.whole(self.sizes.cached_size)
        return operand(new, *whole), operand(cache, *whole)

    def up_weights(self, operator: GraphOperator) -> Operand:
        """Return the weights from latents to the keys and values of each chip's heads.

        Of each head, those of its key come first.
        """
        rows = self.of_heads(self.sizes.expanded_dim)
        return operand(operator.inputs[2], *rows, 0, self.whole(self.sizes.kv_rank).end)

    def stored(self, rows: Ints | int, heads: Ints | int = 1) -> StoredMatrices:
        """Return some rows of the weights from latents, in each of some heads.

        They are sized as if each head began a block of a format with scales.
        """
        every = Range(0 * self.attends, rows * self.attends)
        stored = self.part.task.formats.of(WeightGroup.ATTENTION, self.part.block.layer)
        columns = self.whole(self.sizes.kv_rank)
        return stored_matrices(MatrixParts(stored, (every,), (columns,), heads))

    @property
    def positions(self) -> Ints:
        """Return the positions of a sequence that each chip attends to."""
        return self.part.task.cached_tokens(self.part.block) * self.attends

    def scores(self, name: str) -> Operand:
        """Return the scores of each chip's heads, or their weights."""
        cuts = AttentionCuts(self.part)
        return operand(name, *cuts.query_heads, *cuts.context_part)

    @property
    def score_elements(self) -> Ints:
        """Return the scores of each chip's heads, of all tokens."""
        task, split = self.part.task, self.split
        scores = task.score_tokens(self.part.block, split.members)
        return split.heads * scores * task.batch


@final
class LinearCuts(NamedTuple):
    """Cuts of a layer's linear attention on each chip of a group.

    A chip has whole key heads, with all value heads that share them, and their states.

    Attributes
    ----------
    part
        The block.
    """

    part: BlockPartition

    @property
    def sizes(self) -> LinearAttention:
        """Return the sizes of heads, and of the convolution."""
        return self.part.attributes(GraphFunction.DELTA_RULE, LinearAttributes).linear

    def of_key_heads(self, rows: int) -> Range:
        """Return the rows of each chip's key heads, `rows` for each head."""
        split = self.part.heads
        first = split.first * rows * (split.heads > 0)
        return Range(first, first + split.heads * rows)

    @property
    def keys(self) -> Range:
        """Return the columns of queries, or of keys, of each chip."""
        return self.of_key_heads(self.sizes.key_dim)

    @property
    def values(self) -> Range:
        """Return the columns of values of each chip."""
        return self.of_key_heads(self.sizes.sharing * self.sizes.value_dim)

    @property
    def value_heads(self) -> Range:
        """Return the value heads of each chip."""
        return self.of_key_heads(self.sizes.sharing)

    @property
    def projected(self) -> tuple[Range, ...]:
        """Return the columns of queries, keys, values, gates, writes and decays."""
        keys, values, heads = self.keys, self.values, self.value_heads
        return keys, keys, values, values, heads, heads

    @property
    def attends(self) -> Ints:
        """Return a one for each chip that has heads, else 0; shape ``(width,)``."""
        return (self.part.heads.heads > 0).astype(np.int64)
