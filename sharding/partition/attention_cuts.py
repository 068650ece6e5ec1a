"""Cuts of attention: heads, rows of projections and positions on each chip."""

from typing import NamedTuple, final

import numpy as np

from sharding.operators.operands import Operand, operand
from sharding.parallelism.ranges import HeadSplit, head_rows
from sharding.parallelism.tensor_group import Range
from sharding.partition.block_partition import BlockPartition
from specs.arrays import Ints
from workloads.attributes import AttentionAttributes
from workloads.operators import Function as GraphFunction


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
