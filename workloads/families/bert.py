"""Encoders that normalise behind their blocks: bert and roberta.

The norm behind a block is written before the next one, or before the pooler, and its
result is also the residual of that block.
"""

from specs.formats import FormatsSpec
from specs.model import ModelSpec
from workloads.attributes import NormAttributes
from workloads.operator_graph import OperatorGraph
from workloads.operators import TokenRows
from workloads.transformer.attention import attention
from workloads.transformer.block_builder import Transformer
from workloads.transformer.embedding_and_head import embedding, pooler
from workloads.transformer.feed_forward import feed_forward


def bert_graph(
    model: ModelSpec, formats: FormatsSpec | None, rows: TokenRows
) -> OperatorGraph:
    """Return the operator graph of a BERT encoder, whose rows are whole sequences."""
    epsilon = model.numerical_settings.norm_epsilon
    transformer = Transformer(
        model=model,
        formats=formats,
        rows=rows,
        norm=NormAttributes(epsilon=epsilon, centred=True),
        residual_is_normed=True,
    )
    return OperatorGraph(
        name=model.name,
        rows=rows,
        blocks=(
            embedding(transformer),
            *attention(transformer, None),
            feed_forward(transformer),
            pooler(transformer),
        ),
    )
