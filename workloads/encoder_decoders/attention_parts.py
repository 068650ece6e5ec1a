"""What attention of encoder-decoders is made of: scores, values, views of heads.

Keys lie as the right operand of a product: elements of a head by positions. The factor
of the scores is part of the weights of queries.
"""

from specs.element_view import Loop, View
from specs.vector_functions import VectorFunction
from workloads.encoder_decoders.stack_builder import Size, StackBuilder


def attend(
    builder: StackBuilder,
    prefix: str,
    *,
    operands: tuple[str, str, str],
    scored: Size,
    made: Size,
    bias: str | None,
) -> str:
    """Add a workload's scores, their softmax, and the sum of values; return that.

    Parameters
    ----------
    builder, prefix
        The stack, and what names begin with.
    operands
        Queries, keys and values.
    scored, made
        Sizes of the scores and of the result.
    bias
        What is added to the scores.
    """
    queries, keys, values = operands
    scores = builder.product(
        f"{prefix}.scores", queries, keys, f"{prefix}.scores", scored
    )
    if bias is not None:
        scores = builder.vector(
            f"{prefix}.biased", VectorFunction.ADD, [scores, bias], scored
        )
    weights = builder.vector(
        f"{prefix}.weights", VectorFunction.SOFTMAX, [scores], scored
    )
    return builder.product(
        f"{prefix}.attend", weights, values, f"{prefix}.attended", made
    )


def attention_output(
    builder: StackBuilder,
    prefix: str,
    *,
    stored: str,
    context: str,
    residual: str,
    rows: int,
) -> str:
    """Add a workload's projection behind attention; return the residual stream.

    Parameters
    ----------
    builder, prefix
        The stack, and what names begin with.
    stored
        Name of the weights without an ending.
    context, residual, rows
        What heads attend to, the residual stream before it, and rows of both.
    """
    return builder.projection(
        f"{prefix}.output",
        stored,
        context,
        Size(1, rows, builder.model.hidden_size),
        inner=builder.attended,
        biased=builder.model.structure.biased,
        residual=residual,
    )


def by_heads(builder: StackBuilder, rows: range) -> View:
    """Return a workload's view of some rows as a matrix for each head."""
    loops = (
        Loop(size=builder.heads, stride=builder.head_dim),
        Loop(size=len(rows), stride=builder.attended),
        Loop(size=builder.head_dim, stride=1),
    )
    return View(loops=loops, start=rows.start * builder.attended)


def by_columns(builder: StackBuilder, positions: int) -> View:
    """Return a workload's view of rows as the columns of a matrix for each head."""
    loops = (
        Loop(size=builder.heads, stride=builder.head_dim),
        Loop(size=builder.head_dim, stride=1),
        Loop(size=positions, stride=builder.attended),
    )
    return View(loops=loops)
