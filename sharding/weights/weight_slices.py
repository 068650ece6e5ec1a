"""Weight slices of a block: rows and columns of each tensor on each chip of a group.

- Query, key, value, gate and up projections and the head are split by rows, so that
  each chip computes its own outputs.
- Output and down projections are split by columns, so that each chip consumes its own
  inputs.
- Other norms and embeddings are split along the hidden dimension.
- A 2D layout cuts the matrices of a feed-forward both ways.
- Each expert is whole within its expert group; a shared one is over all groups.
- A bias is on the chips whose outputs it is added to.
- The norm of heads is on every chip that has heads, and a LayerNorm and the bias of a
  router on every chip: the first holds the tensor, the others hold copies.
"""

import numpy as np

from sharding.parallelism.ranges import TensorSlices, bounds, head_rows
from sharding.parallelism.tensor_group import Range, TensorGroup
from sharding.weights.blocks import Block, BlockKind
from sharding.weights.group_slices import GroupSlices, ProjectionRows
from sharding.weights.latent_slices import latent_slices
from sharding.weights.linear_slices import linear_slices
from sharding.weights.tensor_names import names_of
from specs.model import ModelSpec

# Marks the head that is a second copy of the embedding.
TIED = " (tied)"
# Marks the norm that is a second copy of the one of attention.
SHARED_NORM = " (shared)"


def block_slices(
    model: ModelSpec, block: Block, split: TensorGroup
) -> list[TensorSlices]:
    """Return the slices of each weight of a transformer `block` over a tensor group."""
    group = GroupSlices(model, split)
    if block.kind is BlockKind.ATTENTION:
        if model.latent is not None:
            return latent_slices(group, model.latent, block.layer)
        if model.linear is not None and model.is_linear(block.layer):
            return linear_slices(group, model.linear, block.layer)
        return _attention_slices(group, block.layer)
    if block.kind is BlockKind.FEED_FORWARD:
        return _feed_forward_slices(group, block)
    if block.kind is BlockKind.EMBEDDING:
        return _embedding_slices(group, block)
    return _head_slices(group, block)


def counted_slices(
    model: ModelSpec, block: Block, split: TensorGroup
) -> list[tuple[TensorSlices, int]]:
    """Return the slices of one of all tensors of a block that are cut alike.

    Those are the experts of a group.

    Returns
    -------
    list
        Slices of a tensor, and how many tensors have the same.
    """
    experts = model.experts_in(block.layer)
    if block.kind is not BlockKind.FEED_FORWARD or experts == 1:
        return [(each, 1) for each in block_slices(model, block, split)]
    group, held = GroupSlices(model, split), experts // split.expert
    once = _before_experts(group, block) + _behind_experts(group, block)
    counted = [(each, 1) for each in once]
    for expert in range(0, experts, held):
        counted += [(each, held) for each in _expert_slices(group, block, expert)]
    return counted


def _embedding_slices(group: GroupSlices, block: Block) -> list[TensorSlices]:
    """Return the slices of the token table, and of other tables on its first part."""
    model, names = group.model, group.names
    low, high = block.range_of(model.vocabulary_size)
    table = f"{names.embedding}.weight"
    slices = [group.by_hidden(table, model.vocabulary_size, low, high)]
    if block.opens:
        tables = {names.positions: model.position_rows}
        tables[names.token_types] = model.token_types
        slices += [
            group.by_hidden(f"{name}.weight", rows, 0, rows)
            for name, rows in tables.items()
            if rows
        ]
    if block.closes and model.structure.normed_embedding:
        slices += group.norm(names.embedding_norm)
    return slices


def _head_slices(group: GroupSlices, block: Block) -> list[TensorSlices]:
    """Return the slices of the head's rows, and of the final norm on its first part."""
    model, names = group.model, group.names
    low, high = block.range_of(model.head_rows)
    edges = low + bounds(high - low, group.width)
    outputs = ProjectionRows(names.head, model.head_rows, edges[:-1], edges[1:])
    slices = group.by_rows(
        [outputs], biased=model.structure.encoder or model.head_biases
    )
    if model.tied_embeddings:
        # A tied head is a second copy of the embedding, on the chips of the head.
        slices = [part._replace(tensor=f"{part.tensor}{TIED}") for part in slices]
    norm = group.norm(names.norm_before_head(model.layers), begin=low)
    return norm + slices


def _attention_slices(group: GroupSlices, layer: int) -> list[TensorSlices]:
    """Return the slices of a layer's norms and attention projections."""
    model, names = group.model, group.names
    heads = group.split.heads(model.kv_heads, layer)
    queries_per_head = model.attention_heads // model.kv_heads
    q_rows = head_rows(heads, queries_per_head * model.head_dim)
    kv_rows = head_rows(heads, model.head_dim)

    def name(template: str) -> str:
        return template.format(layer=layer)

    projections = [
        ProjectionRows(name(names.query), model.query_size, *q_rows),
        ProjectionRows(name(names.key), model.kv_size, *kv_rows),
        ProjectionRows(name(names.value), model.kv_size, *kv_rows),
    ]
    if model.structure.output_gates:
        gates = ProjectionRows(name(names.output_gate), model.query_size, *q_rows)
        projections.append(gates)
    before = model.structure.normalises_inputs
    slices = [
        *(group.norm(names.norm_before_attention(layer)) if before else []),
        *group.by_rows(projections, biased=model.qkv_biases),
        *group.by_columns(
            name(names.output),
            model.query_size,
            Range(*q_rows),
            biased=model.output_biases,
        ),
    ]
    if model.structure.whole_head_norms:
        for norm, size, rows in (
            (names.query_norm, model.query_size, q_rows),
            (names.key_norm, model.kv_size, kv_rows),
        ):
            slices.append(group.vector(f"{name(norm)}.weight", size, *rows))
    elif model.structure.head_norms:
        for norm in (names.query_norm, names.key_norm):
            slices += group.copied_vector(
                heads.heads > 0, f"{name(norm)}.weight", model.head_dim
            )
    if model.structure.sinks:
        # A sink is with the first part of a head's context.
        first = heads.first * queries_per_head
        last = np.where(
            heads.member == 0, first + heads.heads * queries_per_head, first
        )
        slices.append(
            group.vector(name(names.sinks), model.attention_heads, first, last)
        )
    if model.normalises_outputs:
        slices += group.norm(name(names.attention_post_norm))
    return slices


def _feed_forward_slices(group: GroupSlices, block: Block) -> list[TensorSlices]:
    """Return the slices of a feed-forward's norms, router and experts."""
    experts = group.model.experts_in(block.layer)
    if experts == 1:
        group = group._replace(split=group.split._replace(expert=1))
    slices = _before_experts(group, block)
    for expert in range(experts):
        slices += _expert_slices(group, block, expert)
    return slices + _behind_experts(group, block)


def _before_experts(group: GroupSlices, block: Block) -> list[TensorSlices]:
    """Return the slices of the norm of a feed-forward's input, and of its router."""
    model, names, layer = group.model, group.names, block.layer
    begin, _ = block.range_of(model.inner_size(layer))
    slices = []
    if model.structure.normalises_inputs:
        slices += group.norm(
            names.feed_forward_norm.format(layer=layer),
            begin=begin,
            mark=SHARED_NORM if model.block_order.shares_norm else "",
        )
    if model.has_experts(layer):
        slices += _router_slices(group, block, begin=begin)
    return slices


def _behind_experts(group: GroupSlices, block: Block) -> list[TensorSlices]:
    """Return the slices of a shared expert, and of the norm of the output."""
    model, names, layer = group.model, group.names, block.layer
    slices = _shared_slices(group, block) if model.shared_size(layer) else []
    if block.closes and model.normalises_outputs:
        slices += group.norm(names.feed_forward_post_norm.format(layer=layer))
    return slices


def _router_slices(
    group: GroupSlices, block: Block, *, begin: int
) -> list[TensorSlices]:
    """Return the slices of a router's matrices, bias and correction."""
    model, names, layer = group.model, group.names, block.layer
    routers = [(names.router, model.experts)]
    if model.shared_size(layer) and model.shared_expert_gate:
        routers.append((names.shared_router, 1))
    slices = [
        group.by_hidden(f"{name.format(layer=layer)}.weight", rows, 0, rows)._replace(
            multiplied=True
        )
        for name, rows in routers
        if block.opens
    ]
    return slices + _router_vectors(group, layer, begin=begin)


def _router_vectors(
    group: GroupSlices, layer: int, *, begin: int
) -> list[TensorSlices]:
    """Return the slices of a router's bias and correction.

    Every chip chooses by all scores, and each part of a feed-forward anew.
    """
    model, names = group.model, group.names
    return [
        each
        for template, has in (
            (f"{names.router}.bias", model.router.bias),
            (names.router_correction, model.router.correction),
        )
        if has
        for each in group.copied_vector(
            group.zeros == 0,
            template.format(layer=layer),
            model.experts,
            block_begin=begin,
        )
    ]


def _expert_slices(group: GroupSlices, block: Block, expert: int) -> list[TensorSlices]:
    """Return the slices of one expert's projections, or of a dense feed-forward's."""
    model, split, layer = group.model, group.split, block.layer
    size, experts = model.inner_size(layer), model.experts_in(layer)
    names = names_of(model.family, experts=experts)
    low, high = block.range_of(size)
    columns = split.column_range(low, high)
    biases = split.activated_range(low, high)
    if split.expert > 1:
        holds = split.experts_of == expert // (experts // split.expert)
        columns, biases = (
            Range(part.start, np.where(holds, part.end, part.start))
            for part in (columns, biases)
        )
    hidden = split.input_range(model.hidden_size) if split.inputs > 1 else None
    inward = [names.gate, names.up] if model.structure.gated else [names.up]
    slices = group.by_rows(
        [
            ProjectionRows(each.format(layer=layer, expert=expert), size, *columns)
            for each in inward
        ],
        biased=model.feed_forward_biases,
        inputs=hidden,
        biases=biases,
    )
    return slices + group.by_columns(
        names.down.format(layer=layer, expert=expert),
        size,
        columns,
        outputs=hidden,
        # The parts of a feed-forward are summed before the bias is added once.
        biased=model.feed_forward_biases and block.closes,
    )


def _shared_slices(group: GroupSlices, block: Block) -> list[TensorSlices]:
    """Return the slices of the shared expert's projections.

    A chip has the same part of it as it has of the columns of all expert groups.
    """
    model, names, layer = group.model, group.names, block.layer
    size, inner = model.shared_size(layer), model.inner_size(layer)
    columns = group.split.column_range(*block.range_of(inner))
    before, whole = group.split.experts_of * inner, group.split.expert * inner
    own = Range(*((before + edge) * size // whole for edge in columns))
    inward = [names.shared_gate, names.shared_up]
    slices = group.by_rows(
        [
            ProjectionRows(each.format(layer=layer), size, *own)
            for each in inward[not model.structure.gated :]
        ],
        biased=False,
    )
    down = names.shared_down.format(layer=layer)
    return slices + group.by_columns(down, size, own, biased=False)
