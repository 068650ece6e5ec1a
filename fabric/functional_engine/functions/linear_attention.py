"""Linear attention: convolution, unit norms, decay, delta rule and gated norm.

Each function takes a call and returns the array of each result; states of the chip are
replaced on the way.
"""

import numpy as np

from fabric.functional_engine.call import Call
from fabric.functional_engine.memory import Array
from specs.linear_attention import LinearAttention


def output_gated(call: Call) -> list[Array]:
    """Execute: what heads attend to, times the sigmoid of their gates."""
    context, gate = (each.array for each in call.reads)
    return [context * _sigmoid(gate)]


def convolved(call: Call) -> list[Array]:
    """Execute: SiLU of weighed sums over the last tokens, channel by channel."""
    kernel = _sizes(call).kernel
    results = []
    for new, weights, name in zip(call.reads, call.weights, call.states, strict=True):
        fresh = call.sequences(new.array)
        batch, tokens, columns = fresh.shape
        seen: list[Array] = []

        def shift(tail: Array, fresh: Array = fresh, seen: list[Array] = seen) -> Array:
            seen.append(np.hstack([tail, fresh]))
            return seen[0][:, fresh.shape[1] :]

        call.replace_state(
            name,
            (new.first, new.last),
            zero=np.zeros((batch, kernel - 1, columns), dtype=fresh.dtype),
            step=shift,
        )
        windows = np.lib.stride_tricks.sliding_window_view(seen[0], kernel, axis=1)
        mixed = np.einsum("btck,ck->btc", windows, weights.array)
        results.append((mixed * _sigmoid(mixed)).reshape(batch * tokens, columns))
    return results


def unit_normed(call: Call) -> list[Array]:
    """Execute: queries and keys over their lengths, queries over a root as well."""
    size = _sizes(call).key_dim
    results = []
    for place, rows in enumerate(call.reads):
        heads = rows.array.reshape(len(rows.array), -1, size)
        squares = np.einsum("thd,thd->th", heads, heads)
        factor = 1 / np.sqrt(squares + heads.dtype.type(call.settings.epsilon))
        if place == 0:
            factor = factor / np.sqrt(heads.dtype.type(size))
        results.append((heads * factor[:, :, None]).reshape(rows.array.shape))
    return results


def decayed(call: Call) -> list[Array]:
    """Execute: how much of a correction each head writes, and what it keeps."""
    write, raw = (each.array for each in call.reads)
    rate, bias = (each.array for each in call.weights)
    kept = np.exp(-np.exp(rate) * np.logaddexp(raw.dtype.type(0), raw + bias))
    return [_sigmoid(write), kept]


def delta_updated(call: Call) -> list[Array]:
    """Execute: states decayed and corrected token by token, and what queries read."""
    sizes = _sizes(call)
    queries, keys, values, written, kept = (
        call.sequences(each.array) for each in call.reads
    )
    batch, tokens, columns = values.shape
    heads = columns // sizes.value_dim
    value = values.reshape(batch, tokens, heads, sizes.value_dim)
    query, key = (
        np.repeat(each.reshape(batch, tokens, -1, sizes.key_dim), sizes.sharing, 2)
        for each in (queries, keys)
    )
    read = np.empty_like(value)

    def follow(state: Array) -> Array:
        for token in range(tokens):
            state = state * kept[:, token, :, None, None]
            now = key[:, token, :, None]
            error = value[:, token] - (now @ state)[:, :, 0]
            correction = written[:, token, :, None] * error
            state = state + now.swapaxes(2, 3) * correction[:, :, None]
            read[:, token] = (query[:, token, :, None] @ state)[:, :, 0]
        return state

    (name,) = call.states
    own = call.reads[2]
    zero = np.zeros((batch, heads, sizes.key_dim, sizes.value_dim), dtype=value.dtype)
    call.replace_state(name, (own.first, own.last), zero=zero, step=follow)
    return [read.reshape(batch * tokens, columns)]


def gate_normed(call: Call) -> list[Array]:
    """Execute: value heads over their root mean square, times weights and gates."""
    recalled, gate = (each.array for each in call.reads)
    (weights,) = call.weights
    heads = recalled.reshape(len(recalled), -1, _sizes(call).value_dim)
    mean = np.mean(heads * heads, axis=2, keepdims=True, dtype=heads.dtype)
    factor = 1 / np.sqrt(mean + heads.dtype.type(call.settings.epsilon))
    normed = (heads * factor * weights.array).reshape(recalled.shape)
    return [normed * gate * _sigmoid(gate)]


def _sigmoid(x: Array) -> Array:
    return np.asarray(np.exp(-np.logaddexp(x.dtype.type(0), -x)))


def _sizes(call: Call) -> LinearAttention:
    assert call.settings.linear is not None
    return call.settings.linear
