"""Decoders with RMS norms and a rotation: llama, mistral, mixtral, phi3, qwen2, qwen3.

What differs between them is in the `ModelSpec`: biases, head norms, windows, experts.
"""

from specs.formats import FormatsSpec
from specs.model import ModelSpec
from workloads.attributes import NormAttributes
from workloads.operator_graph import OperatorGraph
from workloads.operators import TokenRows
from workloads.transformer.attention import attention, rotary
from workloads.transformer.block_builder import Transformer
from workloads.transformer.embedding_and_head import embedding, head
from workloads.transformer.feed_forward import feed_forward


def llama_graph(
    model: ModelSpec, formats: FormatsSpec | None, rows: TokenRows
) -> OperatorGraph:
    """Return the operator graph of a llama-like decoder, dense or of experts."""
    settings = model.numerical_settings
    transformer = Transformer(
        model=model,
        formats=formats,
        rows=rows,
        norm=NormAttributes(epsilon=settings.norm_epsilon),
    )
    return OperatorGraph(
        name=model.name,
        rows=rows,
        blocks=(
            embedding(transformer),
            *attention(transformer, rotary(settings, model.head_dim)),
            feed_forward(transformer),
            head(transformer),
        ),
    )
