"""GPT-2: LayerNorms before the blocks, biases everywhere, a table of positions."""

from specs.formats import FormatsSpec
from specs.model import ModelSpec
from workloads.attributes import NormAttributes
from workloads.operator_graph import OperatorGraph
from workloads.operators import TokenRows
from workloads.transformer.attention import attention
from workloads.transformer.block_builder import Transformer
from workloads.transformer.embedding_and_head import embedding, head
from workloads.transformer.feed_forward import feed_forward


def gpt2_graph(
    model: ModelSpec, formats: FormatsSpec | None, rows: TokenRows
) -> OperatorGraph:
    """Return the operator graph of a GPT-2 decoder."""
    epsilon = model.numerical_settings.norm_epsilon
    transformer = Transformer(
        model=model,
        formats=formats,
        rows=rows,
        norm=NormAttributes(epsilon=epsilon, centred=True),
    )
    return OperatorGraph(
        name=model.name,
        rows=rows,
        blocks=(
            embedding(transformer),
            *attention(transformer, None),
            feed_forward(transformer),
            head(transformer),
        ),
    )
