"""Which rows and columns of each weight tensor the chips of a tensor group hold.

Tensors have the shapes of Hugging Face checkpoints, output features as rows. Query,
key, value, gate and up projections and the head are split by rows, so that each chip
produces its own outputs; output and down projections by columns, so that each chip
consumes its own inputs; norms and the embedding along the hidden dimension.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sharding.units import Block, Kind
from specs.model import ModelSpec

Ints = NDArray[np.int64]


class TensorSlices(NamedTuple):
    """The rectangle of one tensor on each chip of a group; arrays are ``(width,)``."""

    tensor: str
    rows: int
    columns: int
    row_start: Ints
    row_end: Ints
    column_start: Ints
    column_end: Ints

    @property
    def elements(self) -> Ints:
        """Return the elements on each chip."""
        return (self.row_end - self.row_start) * (self.column_end - self.column_start)


class HeadSplit(NamedTuple):
    """Which key/value heads each chip of a group serves.

    Up to one chip per head, a chip holds whole heads. With more chips than heads, the
    chips that share a head are a team: each holds a slice of its projections and a
    slice of the context in its KV cache.

    Attributes
    ----------
    first, heads
        First key/value head and number of heads of each chip.
    member, members
        Place in the team, and size of the team.
    """

    first: Ints
    heads: Ints
    member: Ints
    members: Ints


def bounds(elements: int, width: int) -> Ints:
    """Return the ``width + 1`` borders of the most even split of `elements`.

    >>> bounds(10, 4).tolist()
    [0, 2, 5, 7, 10]
    """
    return elements * np.arange(width + 1, dtype=np.int64) // width


def shard_sizes(elements: int, width: int) -> Ints:
    """Return the elements of each chip in the most even split."""
    return np.diff(bounds(elements, width))


def head_split(kv_heads: int, width: int) -> HeadSplit:
    """Return how `kv_heads` are served by `width` chips."""
    if width <= kv_heads:
        edges = bounds(kv_heads, width)
        ones = np.ones(width, dtype=np.int64)
        return HeadSplit(edges[:-1], np.diff(edges), 0 * ones, ones)
    edges = bounds(width, kv_heads)
    sizes = np.diff(edges)
    head = np.repeat(np.arange(kv_heads, dtype=np.int64), sizes)
    member = np.arange(width, dtype=np.int64) - edges[head]
    return HeadSplit(head, np.ones(width, dtype=np.int64), member, sizes[head])


def head_rows(split: HeadSplit, rows_per_head: int) -> tuple[Ints, Ints]:
    """Return the start and end rows of each chip in a projection onto heads."""
    base, size = split.first * rows_per_head, split.heads * rows_per_head
    start = base + size * split.member // split.members
    return start, base + size * (split.member + 1) // split.members


def head_sizes(split: HeadSplit, rows_per_head: int) -> Ints:
    """Return the rows of each chip in a projection onto heads."""
    start, end = head_rows(split, rows_per_head)
    return end - start


class _Group(NamedTuple):
    """A tensor group of `width` chips that share a model's matrices."""

    model: ModelSpec
    width: int

    @property
    def none(self) -> Ints:
        """Return a zero for each chip."""
        return np.zeros(self.width, dtype=np.int64)

    def by_rows(self, name: str, rows: int, start: Ints, end: Ints) -> TensorSlices:
        """Return slices of a projection from the hidden dimension."""
        hidden = self.model.hidden_size
        return TensorSlices(
            name, rows, hidden, start, end, self.none, self.none + hidden
        )

    def by_columns(
        self, name: str, columns: int, start: Ints, end: Ints
    ) -> TensorSlices:
        """Return slices of a projection back to the hidden dimension."""
        hidden = self.model.hidden_size
        return TensorSlices(
            name, hidden, columns, self.none, self.none + hidden, start, end
        )

    def by_hidden(self, name: str, rows: int, start: int, end: int) -> TensorSlices:
        """Return slices along the hidden dimension of rows ``start .. end - 1``."""
        hidden = self.model.hidden_size
        edges = bounds(hidden, self.width)
        return TensorSlices(
            tensor=name,
            rows=rows,
            columns=hidden,
            row_start=self.none + start,
            row_end=self.none + end,
            column_start=edges[:-1],
            column_end=edges[1:],
        )

    def norm(self, name: str) -> TensorSlices:
        """Return slices of a norm's weights, a tensor of one row."""
        return self.by_hidden(name, 1, 0, 1)


def block_slices(model: ModelSpec, block: Block, width: int) -> list[TensorSlices]:
    """Return the slices of every tensor that `block` needs, over `width` chips."""
    group = _Group(model, width)
    if block.kind is Kind.ATTENTION:
        return _attention_slices(group, f"model.layers.{block.layer}")
    if block.kind is Kind.FEED_FORWARD:
        return _feed_forward_slices(group, block, f"model.layers.{block.layer}")
    rows = model.vocabulary_size
    low, high = block.range_of(rows)
    if block.kind is Kind.EMBEDDING:
        return [group.by_hidden("model.embed_tokens.weight", rows, low, high)]
    edges = low + bounds(high - low, width)
    # A tied head is a second copy of the embedding, on the chips that need it.
    name = "lm_head.weight (tied)" if model.tied_embeddings else "lm_head.weight"
    head = group.by_rows(name, rows, edges[:-1], edges[1:])
    return [group.norm("model.norm.weight"), head] if block.opens else [head]


def _attention_slices(group: _Group, layer: str) -> list[TensorSlices]:
    model = group.model
    heads = head_split(model.kv_heads, group.width)
    queries_per_head = model.attention_heads // model.kv_heads
    q_rows = head_rows(heads, queries_per_head * model.head_dim)
    kv_rows = head_rows(heads, model.head_dim)
    attention = f"{layer}.self_attn"
    slices = [
        group.norm(f"{layer}.input_layernorm.weight"),
        group.by_rows(f"{attention}.q_proj.weight", model.query_size, *q_rows),
        group.by_rows(f"{attention}.k_proj.weight", model.kv_size, *kv_rows),
        group.by_rows(f"{attention}.v_proj.weight", model.kv_size, *kv_rows),
        group.by_columns(f"{attention}.o_proj.weight", model.query_size, *q_rows),
    ]
    if model.normalises_outputs:
        slices.append(group.norm(f"{layer}.post_attention_layernorm.weight"))
    return slices


def _feed_forward_slices(group: _Group, block: Block, layer: str) -> list[TensorSlices]:
    model = group.model
    before = "pre_feedforward" if model.normalises_outputs else "post_attention"
    slices = []
    if block.opens:
        slices.append(group.norm(f"{layer}.{before}_layernorm.weight"))
        if model.experts > 1:
            router = f"{layer}.block_sparse_moe.gate.weight"
            slices.append(group.by_hidden(router, model.experts, 0, model.experts))
    size = model.intermediate_size
    low, high = block.range_of(size)
    edges = low + bounds(high - low, group.width)
    for expert in range(model.experts):
        if model.experts > 1:
            mlp = f"{layer}.block_sparse_moe.experts.{expert}"
            gate, up, down = f"{mlp}.w1", f"{mlp}.w3", f"{mlp}.w2"
        else:
            mlp = f"{layer}.mlp"
            gate, up, down = f"{mlp}.gate_proj", f"{mlp}.up_proj", f"{mlp}.down_proj"
        slices += [
            group.by_rows(f"{gate}.weight", size, edges[:-1], edges[1:]),
            group.by_rows(f"{up}.weight", size, edges[:-1], edges[1:]),
            group.by_columns(f"{down}.weight", size, edges[:-1], edges[1:]),
        ]
    if block.closes and model.normalises_outputs:
        slices.append(group.norm(f"{layer}.post_feedforward_layernorm.weight"))
    return slices
