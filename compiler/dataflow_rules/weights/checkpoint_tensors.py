"""Tensors of a checkpoint, and where each lies in the matrices of the operator graph.

For `compiler.verify`. A plan names tensors as checkpoints do, in which projections may
be fused and each expert has its own. The graph has one matrix for each projection, and
one for all experts.
"""

from typing import NamedTuple

from sharding.weights.tensor_names import names_of
from specs.families.tensor_names import TensorNames
from specs.linear_attention import LinearAttention
from specs.model import ModelSpec

_TIED = " (tied)"
# A norm that both blocks of a layer take their input by is stored for each of them.
_SHARED = " (shared)"


class Part(NamedTuple):
    """Part of a checkpoint's tensor: the rows that are of one matrix of the graph.

    Attributes
    ----------
    name
        Name of the matrix in the graph.
    begin, rows
        First row of the part in the tensor, and its rows; of a vector, its columns.
    row, column
        Where the part begins in the matrix.
    is_vector
        Whether it is a vector, whose columns the graph numbers.
    """

    name: str
    begin: int
    rows: int
    row: int = 0
    column: int = 0
    is_vector: bool = False


def checkpoint_parts(model: ModelSpec) -> dict[str, tuple[Part, ...]]:
    """Return the parts of each tensor of a model's checkpoint, by its name."""
    names = names_of(model.family, experts=1).in_order(model.block_order)
    hidden = model.hidden_size
    parts: dict[str, tuple[Part, ...]] = {}
    for name, matrix, rows in (
        (names.embedding, "embedding.weight", model.vocabulary_size),
        (names.positions, "embedding.positions.weight", model.position_rows),
        (names.token_types, "embedding.token_types.weight", model.token_types),
    ):
        parts[f"{name}.weight"] = (Part(matrix, 0, rows),)
    parts |= _norm(names.embedding_norm, "embedding.norm", hidden)
    head = f"{names.head}.weight" + _TIED * model.tied_embeddings
    parts[head] = (Part("head.weight", 0, model.head_rows),)
    parts[f"{names.head}.bias"] = (_vector("head.bias", model.head_rows),)
    parts |= _norm(names.norm_before_head(model.layers), "head.norm", hidden)
    for layer in range(model.layers):
        parts |= _attention(model, names, layer)
        parts |= _feed_forward(model, names, layer)
    return parts


def _vector(name: str, size: int, begin: int = 0, row: int = 0) -> Part:
    """Return the part of a vector."""
    return Part(name, begin, size, row, is_vector=True)


def _norm(name: str, at: str, size: int, mark: str = "") -> dict[str, tuple[Part, ...]]:
    """Return the parts of a norm's weights and bias."""
    return {
        f"{name}.{kind}{mark}": (_vector(f"{at}.{kind}", size),)
        for kind in ("weight", "bias")
    }


def _projections(
    parts: list[tuple[str, str, int]], *, row: int = 0
) -> dict[str, tuple[Part, ...]]:
    """Return the parts of projections, whose rows follow each other if they are fused.

    Parameters
    ----------
    parts
        Name in the checkpoint, name in the graph, and rows of each projection.
    row
        Where each begins in the graph's matrix.
    """
    made: dict[str, tuple[Part, ...]] = {}
    begin: dict[str, int] = {}
    for name, matrix, rows in parts:
        at = begin.get(name, 0)
        weight, bias = f"{name}.weight", f"{name}.bias"
        own = Part(f"{matrix}.weight", at, rows, row)
        made[weight] = (*made.get(weight, ()), own)
        vector = _vector(f"{matrix}.bias", rows, at, row)
        made[bias] = (*made.get(bias, ()), vector)
        begin[name] = at + rows
    return made


def _attention(
    model: ModelSpec, names: TensorNames, layer: int
) -> dict[str, tuple[Part, ...]]:
    """Return the parts of a layer's attention tensors."""
    at, hidden = f"layers.{layer}.attention", model.hidden_size
    if model.linear is not None and model.is_linear(layer):
        parts = _norm(names.norm_before_attention(layer), f"{at}.norm", hidden)
        return parts | _linear(model.linear, names, layer, hidden)

    def name(template: str) -> str:
        return template.format(layer=layer)

    output = name(names.output)
    sinks = _vector(f"{at}.sinks.weight", model.attention_heads)
    projections = [
        (name(names.query), f"{at}.query", model.query_size),
        (name(names.key), f"{at}.key", model.kv_size),
        (name(names.value), f"{at}.value", model.kv_size),
    ]
    if model.structure.output_gates:
        gates = name(names.output_gate), f"{at}.output_gate", model.query_size
        projections.append(gates)
    parts = _norm(names.norm_before_attention(layer), f"{at}.norm", hidden)
    parts |= _norm(name(names.attention_post_norm), f"{at}.post_norm", hidden)
    if model.structure.head_norms:
        whole = model.structure.whole_head_norms
        for template, kind, size in (
            (names.query_norm, "query_norm", model.query_size),
            (names.key_norm, "key_norm", model.kv_size),
        ):
            elements = size if whole else model.head_dim
            parts |= _norm(name(template), f"{at}.{kind}", elements)
    if model.latent is not None:
        latent, rank = model.latent, model.latent.query_rank or 0
        up = f"{at}.key_value_up"
        projections = [
            projections[0],
            (name(names.query_down), f"{at}.query_down", rank),
            (name(names.query_up), f"{at}.query_up", model.query_size),
            (name(names.latent_down), f"{at}.latent_down", latent.cached_size),
            (
                name(names.key_value_up),
                up,
                model.attention_heads * latent.expanded_dim,
            ),
        ]
        parts |= _norm(name(names.query_latent_norm), f"{at}.query_norm", rank)
        parts |= _norm(name(names.latent_norm), f"{at}.latent_norm", latent.kv_rank)
    parts |= _projections(projections)
    parts[name(names.sinks)] = (sinks,)
    parts[f"{output}.weight"] = (Part(f"{at}.output.weight", 0, hidden),)
    parts[f"{output}.bias"] = (_vector(f"{at}.output.bias", hidden),)
    return parts


def _linear(
    linear: LinearAttention, names: TensorNames, layer: int, hidden: int
) -> dict[str, tuple[Part, ...]]:
    """Return the parts of the tensors of a layer's linear attention."""
    at = f"layers.{layer}.attention"

    def name(template: str) -> str:
        return template.format(layer=layer)

    kinds = {"query": linear.key_size, "key": linear.key_size}
    kinds["value"] = linear.value_size
    parts = _projections(
        [
            *(
                (name(getattr(names, f"linear_{kind}")), f"{at}.{kind}", size)
                for kind, size in kinds.items()
            ),
            (name(names.linear_gate), f"{at}.output_gate", linear.value_size),
            (name(names.linear_write), f"{at}.write", linear.value_heads),
            (name(names.linear_decay), f"{at}.decay", linear.value_heads),
            (name(names.linear_output), f"{at}.output", hidden),
        ]
    )
    kernels = name(names.linear_convolution)
    parts |= _projections(
        [(kernels, f"{at}.{kind}_kernel", size) for kind, size in kinds.items()]
    )
    parts |= _norm(name(names.linear_norm), f"{at}.output_norm", linear.value_dim)
    for template, own in (
        (names.linear_rate, "decay_rate.weight"),
        (names.linear_bias, "decay.bias"),
    ):
        parts[name(template)] = (_vector(f"{at}.{own}", linear.value_heads),)
    return parts


def _feed_forward(
    model: ModelSpec, names: TensorNames, layer: int
) -> dict[str, tuple[Part, ...]]:
    """Return the parts of a layer's feed-forward tensors, of all experts."""
    at, hidden = f"layers.{layer}.feed_forward", model.hidden_size
    size, experts = model.inner_size(layer), model.experts_in(layer)
    parts: dict[str, tuple[Part, ...]] = {}
    if model.normalises_outputs:
        post = names.feed_forward_post_norm.format(layer=layer)
        parts |= _norm(post, f"{at}.post_norm", hidden)
    if model.structure.normalises_inputs:
        # Where outputs are normalised, this name is of that of attention as well.
        before = names.feed_forward_norm.format(layer=layer)
        mark = _SHARED * model.block_order.shares_norm
        parts |= _norm(before, f"{at}.norm", hidden, mark)
    if experts > 1:
        parts |= _routers(model, names, layer)
    own = names_of(model.family, experts=experts)
    for expert in range(experts):

        def name(template: str, expert: int = expert) -> str:
            return template.format(layer=layer, expert=expert)

        inward = [(name(own.up), f"{at}.up", size)]
        if model.structure.gated:
            inward.insert(0, (name(own.gate), f"{at}.gate", size))
        parts |= _projections(inward, row=expert * size)
        down = name(own.down)
        parts[f"{down}.weight"] = (
            Part(f"{at}.down.weight", 0, hidden, 0, expert * size),
        )
        bias = f"{at}.down.bias"
        # Biases of experts are the rows of a matrix.
        rows = Part(bias, 0, 1, expert) if experts > 1 else _vector(bias, hidden)
        parts[f"{down}.bias"] = (rows,)
    return parts


def _routers(
    model: ModelSpec, names: TensorNames, layer: int
) -> dict[str, tuple[Part, ...]]:
    """Return the parts of a layer's router, and of its shared expert."""
    at, size = f"layers.{layer}.feed_forward", model.shared_size(layer)
    parts = _projections(
        [
            (names.router.format(layer=layer), f"{at}.router", model.experts),
            (names.shared_router.format(layer=layer), f"{at}.shared_router", 1),
            (names.shared_gate.format(layer=layer), f"{at}.shared_gate", size),
            (names.shared_up.format(layer=layer), f"{at}.shared_up", size),
            (
                names.shared_down.format(layer=layer),
                f"{at}.shared_down",
                model.hidden_size,
            ),
        ]
    )
    correction = _vector(f"{at}.router_correction.bias", model.experts)
    parts[names.router_correction.format(layer=layer)] = (correction,)
    return parts
