"""The operator graph of a model: operators by its family, sizes by its spec."""

from math import sqrt

from specs.errors import SpecError
from specs.families.family import NormPlacement
from specs.machine_formats import FormatsSpec
from specs.model import ModelSpec
from workloads.attributes import NormAttributes
from workloads.operator_graph import Block, OperatorGraph
from workloads.operators import TokenRows
from workloads.transformer.attention import attention
from workloads.transformer.block_builder import Transformer
from workloads.transformer.embedding_and_head import embedding, head, pooler
from workloads.transformer.feed_forward import feed_forward
from workloads.transformer.latent_attention import latent_attention
from workloads.transformer.linear_attention import linear_attention


def graph_of(
    model: ModelSpec,
    formats: FormatsSpec | None = None,
    *,
    context: int,
    batch: int,
    query_tokens: int = 1,
    answer_tokens: int = 1,
) -> OperatorGraph:
    """Return the operator graph of one iteration of a model, not sharded.

    Parameters
    ----------
    model
        The model.
    formats
        Number formats of weights, activations and the KV cache; None to leave them out.
    context
        Positions of each sequence after the iteration.
    batch
        Sequences.
    query_tokens
        Positions that are computed together, the last of the context: one in a decode
        token, more in a prefill chunk. An encoder ignores it and computes all.
    answer_tokens
        The last of these positions that go through the head; an encoder ignores it.

    Raises
    ------
    SpecError
        If a count is not positive, positions are not within the context or beyond the
        position table, or the model has settings that are not modelled.
    """
    if model.structure.encoder:
        query_tokens = answer_tokens = context
    if batch < 1 or not 1 <= answer_tokens <= query_tokens <= context:
        raise SpecError(
            f"batch {batch}, answer_tokens {answer_tokens}, query_tokens "
            f"{query_tokens} and context {context} must be positive, and the last "
            "three ascending"
        )
    if model.structure.learned_positions and context > model.max_context_tokens:
        raise SpecError(
            f"{model.name}: a context of {context} is beyond the "
            f"{model.max_context_tokens} positions of its table"
        )
    rows = TokenRows(
        batch=batch,
        context=context,
        query_tokens=query_tokens,
        answer_tokens=answer_tokens,
    )
    return OperatorGraph(
        name=model.name, rows=rows, blocks=_blocks(model, formats, rows)
    )


def _blocks(
    model: ModelSpec, formats: FormatsSpec | None, rows: TokenRows
) -> tuple[Block, ...]:
    """Return the blocks of a transformer's operator graph, by its family's structure.

    A norm behind a block, in a family that normalises the residual, is written before
    the next block, or before the pooler; its result is also the residual there.
    """
    family, settings = model.structure, model.numerical_settings
    transformer = Transformer(
        model=model,
        formats=formats,
        rows=rows,
        norm=NormAttributes(
            epsilon=settings.norm_epsilon,
            centred=family.layer_norms,
            unit_offset=family.unit_offset,
        ),
        residual_is_normed=family.norms is NormPlacement.RESIDUAL,
    )
    scale = sqrt(model.hidden_size) if family.scaled_embedding else 1.0
    post_norm = family.normalises_outputs
    return (
        embedding(transformer, scale=settings.embedding_scale * scale),
        *(
            [latent_attention(transformer, model.latent)]
            if model.latent is not None
            else attention(transformer, post_norm=post_norm)
        ),
        *([linear_attention(transformer, model.linear)] if model.linear else []),
        *feed_forward(transformer, post_norm=post_norm),
        (pooler if family.encoder else head)(transformer),
    )
