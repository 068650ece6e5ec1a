"""Which rows and columns of each weight tensor the chips of a tensor group hold.

Tensors have the shapes of Hugging Face checkpoints, output features as rows. Query,
key, value, gate and up projections and the head are split by rows, so that each chip
produces its own outputs; output and down projections by columns, so that each chip
consumes its own inputs; norms and the embedding along the hidden dimension. In a grid
the matrices of a feed-forward are cut both ways. Experts are whole in their groups. A
bias is where the outputs are that it is added to. The norm of a head is on every chip
that has heads: the first has the tensor, the others have copies.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sharding.parallelism.ranges import TensorSlices, bounds, head_rows
from sharding.parallelism.tensor_group import Range, TensorGroup
from sharding.transformer.blocks import Block, BlockKind
from sharding.transformer.tensor_names import TensorNames, names_of
from specs.arrays import Ints
from specs.model import ModelSpec


class _Outputs(NamedTuple):
    """Output features of a projection on each chip, and how many there are in all."""

    name: str
    rows: int
    start: Ints
    end: Ints


class _Group(NamedTuple):
    """A model, and the tensor group whose chips share its matrices."""

    model: ModelSpec
    split: TensorGroup

    @property
    def width(self) -> int:
        """Return the chips of the group."""
        return self.split.width

    @property
    def whole(self) -> Range:
        """Return the hidden dimension on each chip."""
        return Range(self.none, self.none + self.model.hidden_size)

    @property
    def names(self) -> TensorNames:
        """Return what the model's tensors are called."""
        return names_of(self.model.family, experts=self.model.experts)

    @property
    def none(self) -> Ints:
        """Return a zero for each chip."""
        return np.zeros(self.width, dtype=np.int64)

    def by_rows(
        self,
        parts: list[_Outputs],
        *,
        biased: bool,
        inputs: Range | None = None,
        biases: Range | None = None,
    ) -> list[TensorSlices]:
        """Return slices of projections from the hidden dimension, or `inputs` of it.

        Those of one name follow one another in one tensor, as checkpoints fuse them.
        Biases are where the outputs are, or where `biases` says.
        """
        hidden = self.model.hidden_size
        rows: dict[str, int] = {}
        for part in parts:
            rows[part.name] = rows.get(part.name, 0) + part.rows
        slices = []
        before = dict.fromkeys(rows, 0)
        for name, own, first, last in parts:
            start, end = before[name] + first, before[name] + last
            weight = TensorSlices(
                f"{name}.weight",
                rows[name],
                hidden,
                start,
                end,
                *(inputs or self.whole),
                multiplied=True,
            )
            slices.append(weight)
            if biased:
                own_bias = biases or Range(first, last)
                bias = self.vector(
                    f"{name}.bias",
                    rows[name],
                    before[name] + own_bias.start,
                    before[name] + own_bias.end,
                )
                slices.append(bias)
            before[name] += own
        return slices

    def by_columns(
        self,
        name: str,
        columns: int,
        held: Range,
        *,
        biased: bool,
        outputs: Range | None = None,
    ) -> list[TensorSlices]:
        """Return slices of a projection back to the hidden dimension."""
        weight = TensorSlices(
            f"{name}.weight",
            self.model.hidden_size,
            columns,
            *(outputs or self.whole),
            *held,
            multiplied=True,
        )
        # The bias is added to the sum, which is on the shards.
        return [weight, self.by_hidden(f"{name}.bias", 1, 0, 1)] if biased else [weight]

    def by_hidden(self, name: str, rows: int, start: int, end: int) -> TensorSlices:
        """Return slices along the hidden dimension of rows ``start .. end - 1``."""
        hidden = self.model.hidden_size
        shards = self.split.shards(hidden)
        return TensorSlices(
            tensor=name,
            rows=rows,
            columns=hidden,
            row_start=self.none + start,
            row_end=self.none + end,
            column_start=shards.start,
            column_end=shards.end,
        )

    def vector(self, name: str, size: int, start: Ints, end: Ints) -> TensorSlices:
        """Return slices of a tensor of one row."""
        return TensorSlices(name, 1, size, self.none, self.none + 1, start, end)

    def norm(self, name: str) -> list[TensorSlices]:
        """Return slices of a norm's weights and, if it has any, biases."""
        kinds = ("weight", "bias") if self.model.structure.layer_norms else ("weight",)
        return [self.by_hidden(f"{name}.{kind}", 1, 0, 1) for kind in kinds]

    def on_each_of(
        self, has_it: NDArray[np.bool_], name: str, size: int
    ) -> list[TensorSlices]:
        """Return a vector on the first chip that has it, copies on the others."""
        held = self.none + has_it
        # Of those that have it, the first is number 0.
        number = np.cumsum(held) - 1
        first = np.where(number == 0, held, 0) * size
        slices = [self.vector(f"{name}.weight", size, self.none, first)]
        copies = int(held.sum()) - 1
        if copies:
            row = np.maximum(number - 1, 0)
            others = TensorSlices(
                tensor=f"{name}.weight (copies)",
                rows=copies,
                columns=size,
                row_start=row,
                row_end=row + 1,
                column_start=self.none,
                column_end=held * size - first,
            )
            slices.append(others)
        return slices


def block_slices(
    model: ModelSpec, block: Block, split: TensorGroup
) -> list[TensorSlices]:
    """Return the slices of every tensor that `block` needs, over a group."""
    group = _Group(model, split)
    if block.kind is BlockKind.ATTENTION:
        return _attention_slices(group, block.layer)
    if block.kind is BlockKind.FEED_FORWARD:
        return _feed_forward_slices(group, block)
    if block.kind is BlockKind.EMBEDDING:
        return _embedding_slices(group, block)
    return _head_slices(group, block)


def _embedding_slices(group: _Group, block: Block) -> list[TensorSlices]:
    model, names = group.model, group.names
    low, high = block.range_of(model.vocabulary_size)
    table = f"{names.embedding}.weight"
    slices = [group.by_hidden(table, model.vocabulary_size, low, high)]
    if block.opens:
        added = (
            (names.positions, model.position_rows),
            (
                names.token_types,
                model.token_types,
            ),
        )
        slices += [
            group.by_hidden(f"{name}.weight", rows, 0, rows)
            for name, rows in added
            if rows
        ]
    return slices


def _head_slices(group: _Group, block: Block) -> list[TensorSlices]:
    model, names = group.model, group.names
    low, high = block.range_of(model.head_rows)
    edges = low + bounds(high - low, group.width)
    outputs = _Outputs(names.head, model.head_rows, edges[:-1], edges[1:])
    slices = group.by_rows([outputs], biased=model.structure.encoder)
    if model.tied_embeddings:
        # A tied head is a second copy of the embedding, on the chips that need it.
        slices = [part._replace(tensor=f"{part.tensor} (tied)") for part in slices]
    if block.opens:
        return group.norm(names.norm_before_head(model.layers)) + slices
    return slices


def _attention_slices(group: _Group, layer: int) -> list[TensorSlices]:
    model, names = group.model, group.names
    heads = group.split.heads(model.kv_heads, layer)
    queries_per_head = model.attention_heads // model.kv_heads
    q_rows = head_rows(heads, queries_per_head * model.head_dim)
    kv_rows = head_rows(heads, model.head_dim)

    def name(template: str) -> str:
        return template.format(layer=layer)

    projections = [
        _Outputs(name(names.query), model.query_size, *q_rows),
        _Outputs(name(names.key), model.kv_size, *kv_rows),
        _Outputs(name(names.value), model.kv_size, *kv_rows),
    ]
    slices = [
        *group.norm(names.norm_before_attention(layer)),
        *group.by_rows(projections, biased=model.qkv_biases),
        *group.by_columns(
            name(names.output),
            model.query_size,
            Range(*q_rows),
            biased=model.output_biases,
        ),
    ]
    if model.structure.head_norms:
        for norm in (names.query_norm, names.key_norm):
            slices += group.on_each_of(heads.heads > 0, name(norm), model.head_dim)
    if model.normalises_outputs:
        slices += group.norm(name(names.attention_post_norm))
    return slices


def _feed_forward_slices(group: _Group, block: Block) -> list[TensorSlices]:
    model, names, layer = group.model, group.names, block.layer
    slices = []
    if block.opens:
        slices += group.norm(names.feed_forward_norm.format(layer=layer))
        if model.experts > 1:
            router = f"{names.router.format(layer=layer)}.weight"
            scores = group.by_hidden(router, model.experts, 0, model.experts)
            slices.append(scores._replace(multiplied=True))
    for expert in range(model.experts):
        slices += _expert_slices(group, block, expert)
    if block.closes and model.normalises_outputs:
        slices += group.norm(names.feed_forward_post_norm.format(layer=layer))
    return slices


def _expert_slices(group: _Group, block: Block, expert: int) -> list[TensorSlices]:
    """Return the projections of an expert, or of a dense feed-forward."""
    model, names, split = group.model, group.names, group.split
    size = model.intermediate_size
    low, high = block.range_of(size)
    columns = split.column_range(low, high)
    biases = split.activated_range(low, high)
    if split.expert > 1:
        has_it = split.experts_of == expert // (model.experts // split.expert)
        columns, biases = (
            Range(part.start, np.where(has_it, part.end, part.start))
            for part in (columns, biases)
        )
    hidden = split.input_range(model.hidden_size) if split.inputs > 1 else None
    inward = [names.gate, names.up] if model.structure.gated else [names.up]
    slices = group.by_rows(
        [
            _Outputs(each.format(layer=block.layer, expert=expert), size, *columns)
            for each in inward
        ],
        biased=model.feed_forward_biases,
        inputs=hidden,
        biases=biases,
    )
    return slices + group.by_columns(
        names.down.format(layer=block.layer, expert=expert),
        size,
        columns,
        outputs=hidden,
        # The parts of a feed-forward add up before the bias is added, once.
        biased=model.feed_forward_biases and block.closes,
    )
