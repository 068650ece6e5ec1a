"""Gemma 2: norms before and behind each block, soft caps, every second layer a window.

Weights of norms are stored as their difference from 1, and the embedding is scaled.
"""

from math import sqrt

from specs.formats import FormatsSpec
from specs.model import ModelSpec
from workloads.attributes import NormAttributes
from workloads.operator_graph import OperatorGraph
from workloads.operators import TokenRows
from workloads.transformer.attention import attention, rotary
from workloads.transformer.block_builder import Transformer
from workloads.transformer.embedding_and_head import embedding, head
from workloads.transformer.feed_forward import feed_forward


def gemma2_graph(
    model: ModelSpec, formats: FormatsSpec | None, rows: TokenRows
) -> OperatorGraph:
    """Return the operator graph of a Gemma 2 decoder."""
    settings = model.numerical_settings
    transformer = Transformer(
        model=model,
        formats=formats,
        rows=rows,
        norm=NormAttributes(epsilon=settings.norm_epsilon, unit_offset=True),
    )
    rotation = rotary(settings, model.head_dim)
    return OperatorGraph(
        name=model.name,
        rows=rows,
        blocks=(
            embedding(transformer, scale=sqrt(model.hidden_size)),
            *attention(transformer, rotation, post_norm=True),
            feed_forward(transformer, post_norm=True),
            head(transformer),
        ),
    )
