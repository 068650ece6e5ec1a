"""Embedding, normalisations and sums: functions of the residual stream.

Each function takes the operator, its operands in order and the rows of the iteration,
and returns the results in order.
"""

from collections.abc import Sequence

import numpy as np

from workloads.attributes import (
    AddAttributes,
    EmbedAttributes,
    NormAttributes,
    ProductAttributes,
    Rows,
    TablesAttributes,
)
from workloads.operators import GraphOperator, TokenRows
from workloads.reference.activations import Array

Results = tuple[Array, ...]


def selected(array: Array, selection: Rows, rows: TokenRows) -> Array:
    """Evaluate (reference): the rows of each sequence that an operator reads."""
    if selection is Rows.ALL:
        return array
    sequences = array.reshape(rows.batch, rows.query_tokens, -1)
    first = selection is Rows.FIRST
    few = sequences[:, :1] if first else sequences[:, -rows.answer_tokens :]
    return np.ascontiguousarray(few).reshape(-1, array.shape[1])


def embed(operator: GraphOperator, operands: Sequence[Array], _: TokenRows) -> Results:
    """Evaluate (reference): the rows of a table at the tokens, times a factor."""
    tokens, table = operands
    found: Array = table[tokens.reshape(-1).astype(np.int64)]
    scale = operator.attributes_as(EmbedAttributes).scale
    return (found * table.dtype.type(scale),)


def add_tables(
    operator: GraphOperator, operands: Sequence[Array], rows: TokenRows
) -> Results:
    """Evaluate (reference): the sum with rows of positions and token types."""
    embedded, positions, *token_types = operands
    first = operator.attributes_as(TablesAttributes).first_row + rows.first_position
    own = positions[first : first + rows.query_tokens]
    total = embedded + np.tile(own, (rows.batch, 1))
    for table in token_types:
        total = total + table[0]
    return (total,)


def norm_weigh(
    operator: GraphOperator, operands: Sequence[Array], rows: TokenRows
) -> Results:
    """Evaluate (reference): rows times the norm's weights, and their sums."""
    norm = operator.attributes_as(NormAttributes)
    residual, weights = operands
    read = selected(residual, norm.rows, rows)
    squares = np.sum(read * read, axis=1, keepdims=True)
    if norm.centred:
        squares = np.hstack([np.sum(read, axis=1, keepdims=True), squares])
    return read * _weights(norm, weights), squares


def norm_scale(
    operator: GraphOperator, operands: Sequence[Array], _: TokenRows
) -> Results:
    """Evaluate (reference): weighed rows times the factor of the norm."""
    norm = operator.attributes_as(NormAttributes)
    if not norm.centred:
        weighed, squares = operands
        return (weighed * _factor(squares / weighed.shape[1], norm.epsilon),)
    weighed, sums, weights, *biases = operands
    mean, square = np.hsplit(sums / weighed.shape[1], 2)
    factor = _factor(square - mean * mean, norm.epsilon)
    normed = (weighed - mean * _weights(norm, weights)) * factor
    return (normed + biases[0] if biases else normed,)


def norm_add(
    operator: GraphOperator, operands: Sequence[Array], _: TokenRows
) -> Results:
    """Evaluate (reference): the sum of the residual and a normalised result."""
    norm = operator.attributes_as(NormAttributes)
    total, squares, weights, residual = operands
    factor = _factor(squares / total.shape[1], norm.epsilon)
    return (residual + total * _weights(norm, weights) * factor,)


def product(
    operator: GraphOperator, operands: Sequence[Array], rows: TokenRows
) -> Results:
    """Evaluate (reference): the left operand times the transpose of each matrix.

    Of several left operands, each times its matrix, the sum.
    """
    attributes = operator.attributes_as(ProductAttributes)
    if attributes.lefts > 1:
        lefts = np.hstack(operands[: attributes.lefts])
        return (lefts @ np.hstack(operands[attributes.lefts :]).T,)
    left, *matrices = operands
    read = selected(left, attributes.rows, rows)
    return tuple(read @ matrix.T for matrix in matrices)


def add(operator: GraphOperator, operands: Sequence[Array], _: TokenRows) -> Results:
    """Evaluate (reference): the sum of operands, and its squares' sum."""
    attributes = operator.attributes_as(AddAttributes)
    total, *rest = operands
    residual = rest.pop(0) if attributes.residual else None
    if attributes.biased:
        bias = rest.pop(0)
        # Each expert that a row uses adds its own bias, as much as it is chosen.
        total = total + (rest.pop(0) @ bias if attributes.chosen else bias)
    if attributes.scale != 1:
        total = total * total.dtype.type(attributes.scale)
    if residual is not None:
        total = total + residual
    one = len(operator.outputs) == 1
    return (total,) if one else (total, np.sum(total * total, axis=1, keepdims=True))


def _weights(norm: NormAttributes, stored: Array) -> Array:
    """Return the factors that the stored weights of a norm mean."""
    return 1 + stored if norm.unit_offset else stored


def _factor(mean_square: Array, epsilon: float) -> Array:
    """Return the factor that a normalisation multiplies by."""
    return np.asarray(1 / np.sqrt(mean_square + epsilon))
