"""Regions of attention: what each of its operations reads and makes on each chip."""

from typing import NamedTuple, final

import numpy as np

from chip.dataflow import Function
from sharding.operators.operands import Operand, Operation, operand, shards
from sharding.parallelism.ranges import HeadSplit, head_rows
from sharding.parallelism.tensor_group import Range
from sharding.weights.task import Task
from specs.arrays import Ints

ATTENTION = "layers.{layer}.attention"


@final
class AttentionRegions(NamedTuple):
    """Regions of a layer's attention on each chip of a group, by operation.

    Attributes
    ----------
    task
        The task.
    heads
        Key/value heads of each chip.
    """

    task: Task
    heads: HeadSplit

    @property
    def shared(self) -> bool:
        """Return whether some chips share a head."""
        return bool((self.heads.members > 1).any())

    @property
    def teams(self) -> Ints:
        """Return the KV-head group of each chip, shape ``(width,)``.

        A chip without heads is an exchange group of its own.
        """
        alone = self.task.model.kv_heads + self.task.group.members
        return np.where(self.heads.heads > 0, self.heads.first, alone)

    @property
    def query(self) -> Range:
        """Return the rows of each chip in the query projection."""
        model = self.task.model
        rows = model.attention_heads // model.kv_heads * model.head_dim
        return Range(*head_rows(self.heads, rows))

    @property
    def key(self) -> Range:
        """Return the rows of each chip in the key projection, and in that of values."""
        return Range(*head_rows(self.heads, self.task.model.head_dim))

    @property
    def touched_heads(self) -> Ints:
        """Return the query and key heads of which each chip's slice has rows."""
        size = self.task.model.head_dim
        query, key = (
            (-(-rows.end // size) - rows.start // size) * (rows.sizes > 0)
            for rows in (self.query, self.key)
        )
        return query + key

    def _whole(self, rows: int) -> Range:
        """Return the rows of each chip's whole heads, `rows` for each KV head."""
        first = self.heads.first * rows
        return Range(first, first + self.heads.heads * rows)

    @property
    def whole_query(self) -> Range:
        """Return the rows of all queries of each chip's heads."""
        model = self.task.model
        return self._whole(model.attention_heads // model.kv_heads * model.head_dim)

    @property
    def whole_key(self) -> Range:
        """Return the rows of all keys of each chip's heads."""
        return self._whole(self.task.model.head_dim)

    @property
    def query_heads(self) -> Range:
        """Return the query heads of each chip."""
        return self._whole(self.task.model.attention_heads // self.task.model.kv_heads)

    @property
    def _part(self) -> tuple[Ints, Ints]:
        """Return each chip's part of the context, numbered within its KV-head group."""
        return self.heads.member, self.heads.member + 1

    @property
    def _biased(self) -> tuple[str, str, str]:
        """Return the names of queries, keys and values with their biases, if any."""
        model = self.task.model
        if model.structure.learned_positions:
            return "queries", "keys", "values"
        if model.qkv_biases:
            return "biased_query", "biased_key", "biased_value"
        return "query", "key", "value"

    @property
    def _sliced(self) -> tuple[str, str, str]:
        """Return the names of queries, keys and values before they are positioned."""
        if not self.task.model.structure.head_norms:
            return self._biased
        return "query_weighed", "key_weighed", self._biased[2]

    def _qkv(self, names: tuple[str, str, str], whole: bool) -> tuple[Operand, ...]:
        """Return queries, keys and values of whole heads, or of each chip's slice."""
        query = self.whole_query if whole else self.query
        key = self.whole_key if whole else self.key
        return tuple(
            operand(f"{ATTENTION}.{name}", *rows)
            for name, rows in zip(names, (query, key, key), strict=True)
        )

    def projecting(self) -> tuple[Operation, ...]:
        """Return the projection of the normed input onto queries, keys and values."""
        hidden = self.task.model.hidden_size
        held = hidden * (self.heads.heads > 0)
        weights = [
            operand(f"{ATTENTION}.{name}.weight", *rows, 0, hidden)
            for name, rows in (
                ("query", self.query),
                ("key", self.key),
                ("value", self.key),
            )
        ]
        reads = (operand(f"{ATTENTION}.input", 0, held), *weights)
        made = self._qkv(("query", "key", "value"), whole=False)
        return (Operation(f"{ATTENTION}.qkv", Function.PRODUCT, reads, made),)

    def biasing(self) -> tuple[Operation, ...]:
        """Return the addition of biases to each chip's slice."""
        reads = self._qkv(("query", "key", "value"), whole=False)
        biases = self._qkv(("query.bias", "key.bias", "value.bias"), whole=False)
        made = self._qkv(self._biased, whole=False)
        return (
            Operation(f"{ATTENTION}.position", Function.BIAS, reads + biases, made),
        )

    def _squares(self, *, whole: bool) -> tuple[Operand, Operand]:
        """Return the sums of squares of queries and keys, by the rows they cover."""
        query, key, _ = self._qkv(("query_squares", "key_squares", "value"), whole)
        return query, key

    def head_weighing(self) -> tuple[Operation, ...]:
        """Return the weighing of each chip's queries and keys for their norm."""
        query, key, _ = self._qkv(self._biased, whole=False)
        size = self.task.model.head_dim
        # In a wide KV-head group a chip may have a slice of the queries alone.
        weights = (
            operand(f"{ATTENTION}.query_norm.weight", 0, size * (self.query.sizes > 0)),
            operand(f"{ATTENTION}.key_norm.weight", 0, size * (self.key.sizes > 0)),
        )
        made = self._qkv(self._sliced, whole=False)[:2]
        return (
            Operation(
                f"{ATTENTION}.head_norm",
                Function.HEAD_NORM,
                (query, key, *weights),
                (*made, *self._squares(whole=False)),
            ),
        )

    def sliced(self) -> tuple[Operand, ...]:
        """Return what the chips of a KV-head group all-gather."""
        slices = self._qkv(self._sliced, whole=False)
        if not self.task.model.structure.head_norms:
            return slices
        return (*slices, *self._squares(whole=False))

    @property
    def _positioned(self) -> tuple[str, str, str]:
        """Return the names of positioned queries, keys and values."""
        if self.task.model.structure.head_norms:
            return "rotated_query", "rotated_key", "values"
        return "queries", "keys", "values"

    def positioning(self, *, chained: bool) -> tuple[Operation, ...]:
        """Return the rotation of each chip's heads, chained behind their biases."""
        operations = self.biasing() if chained else ()
        reads = self._qkv(self._sliced, whole=True)
        made = self._qkv(self._positioned, whole=True)
        rotation = Operation(f"{ATTENTION}.position", Function.POSITION, reads, made)
        return (*operations, rotation)

    def head_scaling(self) -> tuple[Operation, ...]:
        """Return the product of rotated queries and keys with their norm's factors."""
        query, key, _ = self._qkv(self._positioned, whole=True)
        made = self._qkv(("queries", "keys", "values"), whole=True)[:2]
        reads = (query, key, *self._squares(whole=True))
        return (Operation(f"{ATTENTION}.head_scale", Function.HEAD_SCALE, reads, made),)

    def _new(self) -> tuple[Operand, ...]:
        """Return queries, keys and values as attention reads them."""
        return self._qkv(("queries", "keys", "values"), whole=True)

    def scoring(self) -> tuple[Operation, ...]:
        """Return the product of queries with the keys of each chip's positions."""
        query, key, _ = self._new()
        cache = operand(f"{ATTENTION}.key_cache", *self.whole_key, *self._part)
        made = operand(f"{ATTENTION}.scores", *self.query_heads, *self._part)
        reads = (query, key, cache) if self._cached else (query, key)
        return (Operation(f"{ATTENTION}.scores", Function.SCORES, reads, (made,)),)

    @property
    def _cached(self) -> bool:
        """Return whether there is a KV cache; an encoder has none."""
        return not self.task.model.structure.encoder

    def softmax(self) -> tuple[Operation, ...]:
        """Return the softmax over each chip's positions."""
        scores = operand(f"{ATTENTION}.scores", *self.query_heads, *self._part)
        made = operand(f"{ATTENTION}.weights", *self.query_heads, *self._part)
        return (
            Operation(f"{ATTENTION}.softmax", Function.SOFTMAX, (scores,), (made,)),
        )

    def attending(self) -> tuple[Operation, ...]:
        """Return the sum of each chip's values, weighed by the softmax.

        A chip that has a head for itself makes its context at once.
        """
        *_, value = self._new()
        weights = operand(f"{ATTENTION}.weights", *self.query_heads, *self._part)
        cache = operand(f"{ATTENTION}.value_cache", *self.whole_key, *self._part)
        reads = (weights, value, cache) if self._cached else (weights, value)
        alone = self.heads.members == 1
        whole = self.whole_query
        made = [
            operand(f"{ATTENTION}.context", whole.start, np.where(alone, whole.end, 0)),
            operand(
                f"{ATTENTION}.attended",
                whole.start,
                np.where(alone, 0, whole.end),
                *self._part,
            ),
        ]
        written = tuple(each for each in made if len(each.member))
        return (Operation(f"{ATTENTION}.attend", Function.ATTEND, reads, written),)

    def attended_parts(self) -> tuple[Operand, ...]:
        """Return what the chips of a KV-head group reduce-scatter."""
        return (shards(f"{ATTENTION}.attended", *self.query, *self._part),)

    def combining(self) -> tuple[Operation, ...]:
        """Return the sum of a KV-head group's parts of each chip's rows."""
        query = self.query
        rows = Range(query.start, np.where(self.heads.members > 1, query.end, 0))
        reads = (operand(f"{ATTENTION}.attended", *rows, 0, self.heads.members),)
        made = (operand(f"{ATTENTION}.context", *rows),)
        return (Operation(f"{ATTENTION}.attend", Function.COMBINE, reads, made),)

    def output(self) -> tuple[Operation, ...]:
        """Return the product of each chip's context with its output weights."""
        hidden = self.task.model.hidden_size
        held = hidden * (self.query.sizes > 0)
        reads = (
            operand(f"{ATTENTION}.context", *self.query),
            operand(f"{ATTENTION}.output.weight", 0, held, *self.query),
        )
        made = (operand(f"{ATTENTION}.partial", 0, held, *self.query),)
        return (
            Operation(f"{ATTENTION}.output_product", Function.PRODUCT, reads, made),
        )
