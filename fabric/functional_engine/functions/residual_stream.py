"""Embedding, norms and sums of the residual stream, each on a chip's own columns.

Each function takes a call and returns the array of each result.
"""

import numpy as np

from fabric.functional_engine.call import Call, Operand
from fabric.functional_engine.memory import Array
from fabric.functional_engine.settings import OperatorSettings

_PARTIAL = ".partial"


def looked_up(call: Call) -> list[Array]:
    """Execute: the table's rows at the tokens; those of other parts of it are zero."""
    tokens, *before = call.reads
    (table,) = call.weights
    rows = tokens.array[:, 0] - table.first
    inside = (rows >= 0) & (rows < table.columns)
    found = np.zeros((len(rows), table.parts), dtype=table.array.dtype)
    found[inside] = table.array[rows[inside]] * call.settings.scale
    for earlier in before:
        found = found + earlier.array
    return [found]


def added_tables(call: Call) -> list[Array]:
    """Execute: the sum with the rows of the positions, and of token type 0."""
    (embedded,) = call.reads
    total = embedded.array
    for table in call.weights:
        if table.name.endswith("positions.weight"):
            first = call.settings.first_row + call.first_position
            own = table.array[first : first + call.passed.query_tokens]
            total = total + np.tile(own, (call.passed.batch, 1))
        else:
            total = total + table.array[0]
    return [total]


def weighed(call: Call) -> list[Array]:
    """Execute: the input times the norm's weights, and the sums of its columns.

    A third result has the first position of each sequence alone.
    """
    (residual,), (weights,) = call.reads, call.weights
    rows = residual.array
    sums = np.sum(rows * rows, axis=1, keepdims=True)
    if call.settings.centred:
        sums = np.hstack([np.sum(rows, axis=1, keepdims=True), sums])
    product = rows * _norm_weights(call.settings, weights)
    results = [product, sums]
    if len(call.writes) > len(results):
        results.append(call.sequences(product)[:, 0])
    return results


def scaled(call: Call) -> list[Array]:
    """Execute: weighed columns times the norm's factor, less the weighed mean."""
    (product, sums) = call.reads
    if len(product.array) < len(sums.array):
        # Only the first position of each sequence was weighed.
        sums = sums._replace(array=call.sequences(sums.array)[:, 0])
    mean, factor = _mean_and_factor(call.settings, sums)
    if not call.settings.centred:
        return [product.array * factor]
    weights, *biases = call.weights
    centre = mean * _norm_weights(call.settings, weights)
    normed = (product.array - centre) * factor
    return [normed + biases[0].array if biases else normed]


def scaled_sum(call: Call) -> list[Array]:
    """Execute: sums of products of the weighed input, times the norm's factor."""
    *sums, squares = call.reads
    _, factor = _mean_and_factor(call.settings, squares)
    return [each.array * factor for each in sums]


def added(call: Call) -> list[Array]:
    """Execute: the sum of all operands, and that of its squares if it is a result.

    Partial sums and biases are scaled; a residual, and a sum of earlier parts, are not.
    """
    scale = call.settings.scale
    terms = [
        each.array * each.array.dtype.type(scale)
        if scale != 1 and each.name.endswith(_PARTIAL)
        else each.array
        for each in call.reads
    ]
    for bias in call.weights:
        # Each chosen expert adds its own bias, as much as it is chosen.
        of_experts = bias.array.ndim > 1
        added_bias = terms.pop() @ bias.array if of_experts else bias.array
        terms.append(added_bias * added_bias.dtype.type(scale))
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    if len(call.writes) == 1:
        return [total]
    return [total, np.sum(total * total, axis=1, keepdims=True)]


def added_normed(call: Call) -> list[Array]:
    """Execute: the residual plus the normed sum of a block."""
    total, squares, residual = call.reads
    (weights,) = call.weights
    _, factor = _mean_and_factor(call.settings, squares)
    product = total.array * _norm_weights(call.settings, weights)
    return [residual.array + product * factor]


def _mean_and_factor(settings: OperatorSettings, sums: Operand) -> tuple[Array, Array]:
    """Return the mean of each row, and the factor of the norm."""
    # The parts of the sums are all columns of the normed rows.
    means = sums.array / sums.array.dtype.type(sums.parts)
    mean, square = np.zeros_like(means[:, :1]), means[:, -1:]
    if settings.centred:
        mean = means[:, :1]
        square = square - mean * mean
    return mean, np.asarray(1 / np.sqrt(square + settings.epsilon))


def _norm_weights(settings: OperatorSettings, weights: Operand) -> Array:
    """Return the factors that stored weights of a norm mean."""
    stored = weights.array
    return np.asarray(1 + stored) if settings.unit_offset else stored
