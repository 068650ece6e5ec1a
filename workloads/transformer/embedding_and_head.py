"""The blocks at the ends: embedding, a decoder's head, an encoder's pooler."""

from specs.errors import SpecError
from specs.graph import Role
from workloads.attributes import (
    CandidateAttributes,
    EmbedAttributes,
    ProductAttributes,
    Rows,
    TablesAttributes,
)
from workloads.feed_forward_attributes import ActivateAttributes
from workloads.operator_graph import Block
from workloads.operators import Function
from workloads.transformer.block_builder import BlockBuilder, Transformer
from workloads.transformer.residual_stream import scaled_input, weighed_input

TOKENS = "tokens"
_TABLE = "embedding.weight"


def embedding(transformer: Transformer, *, scale: float = 1.0) -> Block:
    """Return the embedding block: a lookup, and the sum with other tables if any.

    Parameters
    ----------
    transformer
        The transformer.
    scale
        Factor of the rows that are looked up.
    """
    model = transformer.model
    hidden = model.hidden_size
    builder = BlockBuilder(transformer, "embedding")
    table = builder.weights("weight", model.vocabulary_size, hidden)
    tables = [
        builder.weights(f"{kind}.weight", rows, hidden)
        for kind, rows in (
            ("positions", model.position_rows),
            ("token_types", model.token_types),
        )
        if rows
    ]
    normed = model.structure.normed_embedding
    if tables and normed:
        raise SpecError(
            f"{model.name}: a norm of an embedding with other tables is not modelled"
        )
    (output,) = builder.operator(
        "lookup",
        Function.EMBED,
        [builder.input(TOKENS), table],
        {"rows" if tables or normed else "output": hidden},
        EmbedAttributes(scale=scale),
    )
    if tables:
        # Rows of the position table that come before that of position 0 are unused.
        unused = model.position_rows - model.max_context_tokens
        (output,) = builder.operator(
            "tables",
            Function.ADD_TABLES,
            [output, *tables],
            {"output": hidden},
            TablesAttributes(first_row=unused),
        )
    return builder.block(_normed(builder, output) if normed else output)


def _normed(builder: BlockBuilder, rows: str) -> str:
    """Add a norm of the embedding's rows, whose result is the residual stream."""
    transformer = builder.transformer
    hidden, norm = transformer.model.hidden_size, transformer.norm
    vectors = [
        builder.weights(f"norm.{kind}", 1, hidden) for kind in transformer.norm_vectors
    ]
    weighed, squares = builder.operator(
        "norm",
        Function.NORM_WEIGH,
        [rows, vectors[0]],
        {"weighed": hidden, "squares": 2 if norm.centred else 1},
        norm,
        wide=("squares",),
    )
    (output,) = builder.operator(
        "scale",
        Function.NORM_SCALE,
        [weighed, squares, *(vectors if norm.centred else [])],
        {"output": hidden},
        norm,
    )
    return output


def head(transformer: Transformer) -> Block:
    """Return a decoder's head: logits of the answered rows, and the largest of each."""
    model, answered = transformer.model, transformer.rows.answered
    settings = model.numerical_settings
    builder = BlockBuilder(transformer, "head")
    weighed, squares = weighed_input(builder, Rows.ANSWERED)
    normed = scaled_input(builder, weighed, squares, Rows.ANSWERED)
    matrix = builder.weights(
        "weight",
        model.vocabulary_size,
        model.hidden_size,
        copy_of=_TABLE if model.tied_embeddings else None,
    )
    (logits,) = builder.operator(
        "logits_product",
        Function.PRODUCT,
        [normed, matrix],
        {"logits": model.vocabulary_size},
        ProductAttributes(),
        rows=answered,
    )
    biases = [
        builder.weights("bias", 1, model.vocabulary_size)
        for _ in range(model.head_biases)
    ]
    (candidates,) = builder.operator(
        "candidate",
        Function.CANDIDATE,
        [logits, *biases],
        # The largest logit, and its number.
        {"candidates": 2},
        CandidateAttributes(
            soft_cap=settings.final_soft_cap,
            divisor=settings.logits_divisor,
            biased=model.head_biases,
        ),
        rows=answered,
        wide=("candidates",),
    )
    (token,) = builder.operator(
        "sample",
        Function.SAMPLE,
        [candidates],
        {"token": 1},
        rows=answered,
        role=Role.OUTPUT,
        wide=("token",),
    )
    return builder.block(token)


def pooler(transformer: Transformer) -> Block:
    """Return a transformer graph's pooler, the head of an encoder."""
    model, batch = transformer.model, transformer.rows.batch
    hidden = model.hidden_size
    builder = BlockBuilder(transformer, "head")
    normed = scaled_input(builder, *weighed_input(builder))
    matrix = builder.weights("weight", hidden, hidden)
    (projected,) = builder.operator(
        "pool",
        Function.PRODUCT,
        [normed, matrix],
        {"projected": hidden},
        ProductAttributes(rows=Rows.FIRST),
        rows=batch,
    )
    (pooled,) = builder.operator(
        "activate",
        Function.ACTIVATE,
        [projected, builder.weights("bias", 1, hidden)],
        {"pooled": hidden},
        ActivateAttributes(activation="tanh", biased=True),
        rows=batch,
        role=Role.OUTPUT,
    )
    return builder.block(pooled)
