"""The operators between the residual stream and a block: norm, and sum."""

from dataclasses import replace

from specs.errors import SpecError
from workloads.attributes import AddAttributes, Rows
from workloads.operators import LAYER, LAYER_INPUT, RESIDUAL, Function
from workloads.transformer.block_builder import BlockBuilder

# The norm whose weights a block shares that takes the same input as attention.
_SHARED_NORM = f"layers.{LAYER}.attention.norm"


def weighed_input(
    builder: BlockBuilder, rows: Rows = Rows.ALL, *, parallel: bool = False
) -> tuple[str, str]:
    """Add to a transformer graph the weighing for a norm, and its sums.

    Parameters
    ----------
    builder, rows
        The block, and the rows that are normalised.
    parallel
        Whether the input is that of the block before, whose norm it may share.

    Returns
    -------
    tuple of str
        The weighed rows, and their sums: the sum of squares, and before it the sum if
        the norm is centred.
    """
    transformer = builder.transformer
    hidden, norm = transformer.model.hidden_size, transformer.norm
    shared = parallel and transformer.model.block_order.shares_norm
    weights, *_ = (
        builder.weights(
            f"norm.{kind}",
            1,
            hidden,
            copy_of=f"{_SHARED_NORM}.{kind}" if shared else None,
        )
        for kind in transformer.norm_vectors
    )
    count = transformer.rows.answered if rows is Rows.ANSWERED else None
    weighed, squares = builder.operator(
        "norm",
        Function.NORM_WEIGH,
        [LAYER_INPUT if parallel else RESIDUAL, weights],
        {"weighed": hidden, "squares": 2 if norm.centred else 1},
        replace(norm, rows=rows),
        rows=count,
        wide=("squares",),
    )
    return weighed, squares


def scaled_input(
    builder: BlockBuilder, weighed: str, squares: str, rows: Rows = Rows.ALL
) -> str:
    """Add to a transformer graph a norm's scaling; return the normed rows."""
    transformer = builder.transformer
    hidden, norm = transformer.model.hidden_size, transformer.norm
    inputs = [weighed, squares]
    if norm.centred:
        inputs += [builder.name(f"norm.{kind}") for kind in transformer.norm_vectors]
    (normed,) = builder.operator(
        "scale",
        Function.NORM_SCALE,
        inputs,
        {"input": hidden},
        norm,
        rows=transformer.rows.answered if rows is Rows.ANSWERED else None,
    )
    return normed


def block_input(builder: BlockBuilder, *, parallel: bool = False) -> str:
    """Add to a transformer graph what is before a block's products; return its input.

    That is the residual itself in a model that only normalises behind its blocks.

    Parameters
    ----------
    builder
        The block.
    parallel
        Whether it takes the same input as the block before.
    """
    if not builder.transformer.model.structure.normalises_inputs:
        return RESIDUAL
    return scaled_input(builder, *weighed_input(builder, parallel=parallel))


def reduced_output(
    builder: BlockBuilder,
    partial: str,
    *,
    bias: str | None = None,
    choice: str | None = None,
    post_norm: bool = False,
) -> str:
    """Add to a transformer graph the sum with the residual; return the sum.

    Parameters
    ----------
    builder
        The block; its normed rows are the residual if the transformer says so.
    partial
        Result of the block.
    bias
        Bias that is added, if any.
    choice
        Weights of the experts, if the bias has a row for each.
    post_norm
        Whether the result is normalised before it is added.

    Raises
    ------
    SpecError
        If the result is normalised by a LayerNorm.
    """
    transformer = builder.transformer
    hidden = transformer.model.hidden_size
    residual = builder.name("input") if transformer.residual_is_normed else RESIDUAL
    attributes = AddAttributes(
        residual=not post_norm,
        biased=bias is not None,
        chosen=choice is not None,
        scale=transformer.model.numerical_settings.residual_scale,
    )
    added = [name for name in (bias, choice) if name]
    if not post_norm:
        (output,) = builder.operator(
            "reduce",
            Function.ADD,
            [partial, residual, *added],
            {"output": hidden},
            attributes,
        )
        return output
    if transformer.norm.centred:
        raise SpecError(
            f"{transformer.model.name}: a LayerNorm of a block's output is not "
            "modelled; only of its input"
        )
    total, squares = builder.operator(
        "reduce",
        Function.ADD,
        [partial, *added],
        {"sum": hidden, "sum_squares": 1},
        attributes,
        wide=("sum_squares",),
    )
    weights = builder.weights("post_norm.weight", 1, hidden)
    (output,) = builder.operator(
        "post_scale",
        Function.NORM_ADD,
        [total, squares, weights, residual],
        {"output": hidden},
        transformer.norm,
    )
    return output
