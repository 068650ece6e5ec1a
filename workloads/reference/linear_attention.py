"""Linear attention, from the published equations: convolution, decay, delta rule.

Each function takes the operator, its operands in order and the rows of the iteration,
and returns the results in order, then the states as they are after the iteration.

References
----------
.. [1] S. Yang, J. Kautz and A. Hatamizadeh, "Gated Delta Networks: Improving Mamba2
   with Delta Rule", arXiv:2412.06464, equation 10 and section 3.4.
.. [2] T. Dao and A. Gu, "Transformers are SSMs", arXiv:2405.21060, for the decay.
"""

from collections.abc import Sequence

import numpy as np
from scipy.special import expit

from workloads.attributes import LinearAttributes
from workloads.operators import GraphOperator, TokenRows
from workloads.reference.activations import Array, silu
from workloads.reference.residual_stream import Results


def output_gate(
    _operator: GraphOperator, operands: Sequence[Array], _: TokenRows
) -> Results:
    """Evaluate (reference): what heads attend to, times the sigmoid of their gates."""
    context, gate = operands
    return (context * expit(gate),)


def convolve(
    operator: GraphOperator, operands: Sequence[Array], rows: TokenRows
) -> Results:
    """Evaluate (reference): SiLU of the causal convolution of each channel.

    A state has the inputs of the last tokens, sequence after sequence.
    """
    kernel = operator.attributes_as(LinearAttributes).linear.kernel
    results, states = [], []
    for new, weights, state in zip(
        operands[:3], operands[3:6], operands[6:], strict=True
    ):
        tail = state.reshape(rows.batch, kernel - 1, -1)
        fresh = new.reshape(rows.batch, rows.query_tokens, -1)
        known = np.concatenate([tail, fresh], axis=1)
        total = sum(
            known[:, back : back + rows.query_tokens] * weights[:, back]
            for back in range(kernel)
        )
        results.append(silu(np.asarray(total)).reshape(new.shape))
        states.append(known[:, rows.query_tokens :].reshape(state.shape))
    return (*results, *states)


def unit_norm(
    operator: GraphOperator, operands: Sequence[Array], _: TokenRows
) -> Results:
    """Evaluate (reference): queries and keys of length 1, queries over a root.

    The root is that of the elements of a head.
    """
    attributes = operator.attributes_as(LinearAttributes)
    size = attributes.linear.key_dim
    results = []
    for rows, scale in zip(operands, (size**-0.5, 1.0), strict=True):
        heads = rows.reshape(len(rows), -1, size)
        squares = np.sum(heads * heads, axis=2, keepdims=True)
        unit = heads / np.sqrt(squares + attributes.epsilon)
        results.append((unit * scale).reshape(rows.shape))
    return tuple(results)


def decay(_operator: GraphOperator, operands: Sequence[Array], _: TokenRows) -> Results:
    """Evaluate (reference): how much each head writes, and how much it keeps."""
    write, raw, rate, bias = operands
    kept = np.exp(-np.exp(rate) * np.logaddexp(0, raw + bias))
    return expit(write), np.asarray(kept)


def delta_rule(
    operator: GraphOperator, operands: Sequence[Array], rows: TokenRows
) -> Results:
    """Evaluate (reference): what queries read of states that each token updates.

    With a state S, key k, value v, written b and kept a, the next state is
    a S + k (b (v - a S^T k))^T, and a query q reads S^T q.
    """
    linear = operator.attributes_as(LinearAttributes).linear
    queries, keys, values, written, kept, state = operands
    shape = (rows.batch, rows.query_tokens)
    by_head = [
        np.repeat(each.reshape(*shape, linear.key_heads, -1), linear.sharing, axis=2)
        for each in (queries, keys)
    ]
    value = values.reshape(*shape, linear.value_heads, linear.value_dim)
    known = state.reshape(
        rows.batch, linear.key_dim, linear.value_heads, linear.value_dim
    )
    read = np.zeros_like(value)
    for token in range(rows.query_tokens):
        query, key = (each[:, token] for each in by_head)
        factors = (each.reshape(*shape, -1)[:, token] for each in (written, kept))
        write, keep = factors
        known = known * keep[:, None, :, None]
        recalled = np.einsum("bkhv,bhk->bhv", known, key)
        correction = (value[:, token] - recalled) * write[:, :, None]
        known = known + np.einsum("bhk,bhv->bkhv", key, correction)
        read[:, token] = np.einsum("bkhv,bhk->bhv", known, query)
    return read.reshape(values.shape), known.reshape(state.shape)


def gated_norm(
    operator: GraphOperator, operands: Sequence[Array], _: TokenRows
) -> Results:
    """Evaluate (reference): heads over their RMS, times weights and SiLU of gates."""
    attributes = operator.attributes_as(LinearAttributes)
    recalled, gate, weights = operands
    heads = recalled.reshape(len(recalled), -1, attributes.linear.value_dim)
    mean = np.mean(heads * heads, axis=2, keepdims=True)
    normed = heads / np.sqrt(mean + attributes.epsilon) * weights
    return (normed.reshape(recalled.shape) * silu(gate),)
