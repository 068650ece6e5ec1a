"""The latent attention block: latents, their norms, positions, scores and values.

The graph says what is computed: keys and values are products of the cached latent, as
in the published equations [1]_. In which order the products are done is left to who
splits the graph.

References
----------
.. [1] DeepSeek-AI, "DeepSeek-V3 Technical Report", arXiv:2412.19437, section 2.1.1.
"""

from math import log

from specs.latent_attention import LatentAttention
from specs.numerical_settings import NumericalSettings
from workloads.attributes import (
    AttentionAttributes,
    NormAttributes,
    PositionAttributes,
    ProductAttributes,
)
from workloads.operator_graph import Block
from workloads.operators import Function
from workloads.rotary import Rotary
from workloads.transformer.block_builder import BlockBuilder, Transformer
from workloads.transformer.residual_stream import (
    reduced_output,
    scaled_input,
    weighed_input,
)

# Norms of latents have an epsilon of their own, whatever a config says of the others.
_EPSILON = 1e-6
# Growth of the scores with the logarithm of a context's extension, as in YaRN.
_GROWTH = 0.1


def latent_scale(latent: LatentAttention, settings: NumericalSettings) -> float:
    """Return the factor of the scores in a transformer graph's latent attention.

    Where contexts are extended by ``yarn``, models of this kind multiply queries and
    keys by a factor that grows with the logarithm of the extension.
    """
    scale = float(latent.head_dim**-0.5)
    scaling = settings.rope_scaling
    if scaling is None or not scaling.magnitude_of_all or scaling.factor <= 1:
        return scale
    growth = _GROWTH * scaling.magnitude_of_all * log(scaling.factor) + 1
    return scale * growth**2


def latent_attention(transformer: Transformer, latent: LatentAttention) -> Block:
    """Return a transformer graph's latent attention block, for all layers.

    Parameters
    ----------
    transformer
        The transformer.
    latent
        Sizes of the latents and the heads.
    """
    model, rows = transformer.model, transformer.rows
    settings = model.numerical_settings
    builder = BlockBuilder(transformer, "attention", tuple(range(model.layers)))
    normed = scaled_input(builder, *weighed_input(builder))
    queries, cached = _positioned(builder, latent, normed)
    attributes = AttentionAttributes(
        heads=model.attention_heads,
        kv_heads=model.attention_heads,
        head_dim=latent.head_dim,
        scale=latent_scale(latent, settings),
        latent=latent,
    )
    up = builder.weights(
        "key_value_up.weight",
        model.attention_heads * latent.expanded_dim,
        latent.kv_rank,
    )
    cache = builder.state("latent_cache", rows.batch * rows.context, latent.cached_size)
    per_head = model.attention_heads * rows.count
    (scores,) = builder.operator(
        "scores",
        Function.SCORES,
        [queries, cached, up, cache],
        {"scores": rows.context},
        attributes,
        rows=per_head,
    )
    (weights,) = builder.operator(
        "softmax", Function.SOFTMAX, [scores], {"weights": rows.context}, rows=per_head
    )
    (context,) = builder.operator(
        "attend",
        Function.VALUES,
        [weights, cached, up, cache],
        {"context": model.context_size},
        attributes,
    )
    matrix = builder.weights("output.weight", model.hidden_size, model.context_size)
    (partial,) = builder.operator(
        "output_product",
        Function.PRODUCT,
        [context, matrix],
        {"partial": model.hidden_size},
        ProductAttributes(),
    )
    return builder.block(reduced_output(builder, partial))


def _positioned(
    builder: BlockBuilder, latent: LatentAttention, normed: str
) -> tuple[str, ...]:
    """Add all up to the scores; return queries, and latents with their rotated key."""
    model = builder.transformer.model
    settings = model.numerical_settings
    size = model.attention_heads * latent.head_dim
    rank = latent.query_rank
    first = {"query": size} if rank is None else {"query_down": rank}
    first["latent_down"] = latent.cached_size
    matrices = [
        builder.weights(f"{kind}.weight", rows, model.hidden_size)
        for kind, rows in first.items()
    ]
    down = builder.operator(
        "latents", Function.PRODUCT, [normed, *matrices], first, ProductAttributes()
    )
    normed_sizes = {"normed_latent": latent.cached_size}
    norms = [builder.weights("latent_norm.weight", 1, latent.kv_rank)]
    if rank is not None:
        normed_sizes = {"query_latent": rank, **normed_sizes}
        norms.insert(0, builder.weights("query_norm.weight", 1, rank))
    operands = down[1:] if rank is None else down
    made = builder.operator(
        "latent_norm",
        Function.LATENT_NORM,
        [*operands, *norms],
        normed_sizes,
        NormAttributes(epsilon=_EPSILON),
    )
    if rank is None:
        query = down[0]
    else:
        (query,) = builder.operator(
            "query_up",
            Function.PRODUCT,
            [made[0], builder.weights("query_up.weight", size, rank)],
            {"query": size},
            ProductAttributes(),
        )
    return builder.operator(
        "position",
        Function.POSITION,
        [query, made[-1]],
        {"queries": size, "latent": latent.cached_size},
        PositionAttributes(
            head_dim=latent.head_dim,
            rotary=Rotary(
                theta=settings.rope_theta,
                dims=latent.rotary_dim,
                scaling=settings.rope_scaling,
                interleaved=model.structure.rotary_interleaved,
            ),
            latent=latent,
        ),
    )
