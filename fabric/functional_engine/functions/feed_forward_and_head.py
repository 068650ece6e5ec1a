"""Experts, activations, and the choice of tokens.

Each function takes a call and returns the array of each result.
"""

import numpy as np

from fabric.functional_engine.call import Call, Operand
from fabric.functional_engine.memory import Array

_LOGITS = ".logits"


def expert_scores(call: Call) -> list[Array]:
    """Execute: the scores of experts by a chip's columns, before the norm's factor."""
    (rows,) = call.reads
    matrices = [each.array for each in call.weights if each.array.ndim > 1]
    matrix = np.concatenate(matrices)
    # Vectors are weights and bias of a norm, which are scored as well.
    vectors = [each.array for each in call.weights if each.array.ndim == 1]
    scores = [np.tile(vector @ matrix.T, (len(rows.array), 1)) for vector in vectors]
    return [np.hstack([rows.array @ matrix.T, *scores])]


def activated(call: Call) -> list[Array]:
    """Execute: activation of biased columns, times the gate and the expert's weight.

    The gate is the first operand if there are two.
    """
    experts, chosen = call.settings.experts > 1, call.settings.chosen
    inner = list(call.reads[:-1] if chosen else call.reads)
    arrays = [each.array for each in inner]
    weights = _weights(call, inner[0]) if chosen else None
    if call.settings.weighs_inputs:
        arrays, weights = [array * weights for array in arrays], None
    by_name: dict[str, list[Array]] = {}
    for bias in call.weights:
        by_name.setdefault(bias.name, []).append(bias.array)
    for place, biases in enumerate(by_name.values()):
        arrays[place] = arrays[place] + (np.stack(biases) if experts else biases[0])
    limit = call.settings.gate_limit
    if limit is not None:
        arrays[0] = np.minimum(arrays[0], limit)
        arrays[1:] = [np.clip(factor, -limit, limit) for factor in arrays[1:]]
    result = call.settings.activation(arrays[0])
    for factor in arrays[1:]:
        result = result * (factor + result.dtype.type(call.settings.gate_offset))
    return [result if weights is None else result * weights]


def _weights(call: Call, columns: Operand) -> Array:
    """Return the weights of the experts of a chip, or that of a shared one."""
    weights = call.reads[-1].array
    if call.settings.experts == 1:
        return weights
    held = columns.array.shape[1]
    group = columns.first // call.settings.expert_columns
    return np.asarray(weights[:, group * held : (group + 1) * held, None])


def candidate(call: Call) -> list[Array]:
    """Execute: the largest logit and its number, of the chip's own and earlier ones.

    The array is of shape ``(2, rows, 1)``. A chip without logits has a candidate that
    cannot win.
    """
    rows = call.passed.batch * call.passed.answer_tokens
    found = np.full((2, rows, 1), -np.inf, dtype=np.float32)
    for each in call.reads:
        own = each.array
        if each.name.endswith(_LOGITS):
            for bias in call.weights:
                own = own + bias.array
            number = np.argmax(own, axis=1)
            largest = np.take_along_axis(own, number[:, None], axis=1)[:, 0]
            largest = largest / largest.dtype.type(call.settings.divisor)
            cap = call.settings.soft_cap
            if cap is not None:
                largest = cap * np.tanh(largest / cap)
            own = np.stack([largest, number + each.first])[:, :, None]
        found = _best(np.concatenate([found, own], axis=2))
    return [found]


def sampled(call: Call) -> list[Array]:
    """Execute: the token of the largest logit of all chips, the lowest if several."""
    (candidates,) = call.reads
    return [_best(candidates.array)[1].astype(np.int64)]


def _best(candidates: Array) -> Array:
    """Return the best of candidates, shape ``(2, rows, 1)``."""
    # Last key first: the largest logit, then the lowest number.
    order = np.lexsort((candidates[1], -candidates[0]), axis=1)[:, :1]
    return np.take_along_axis(candidates, order[None], axis=2)
