"""Decoding by reference evaluation: a prompt, then tokens with a growing KV cache."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from specs.arrays import Ints
from specs.graph import Role
from specs.model import ModelSpec
from workloads.model_graph import graph_of
from workloads.operator_graph import OperatorGraph
from workloads.operators import is_recurrent
from workloads.reference.activations import Array
from workloads.reference.evaluation import evaluate
from workloads.transformer.embedding_and_head import TOKENS


class Decoded(NamedTuple):
    """Tokens that a decoder answers.

    Attributes
    ----------
    tokens
        Tokens that were chosen, shape (batch, tokens).
    logits
        Logits from which each was chosen, before the final soft cap, shape
        (batch, tokens, vocabulary).
    """

    tokens: Ints
    logits: Array


def decode(
    model: ModelSpec,
    weights: Mapping[str, Array],
    prompt: Ints,
    tokens: int,
    *,
    prefill_chunk: int | None = None,
    dtype: DTypeLike = np.float64,
) -> Decoded:
    """Return the tokens that a decoder chooses behind a prompt, greedily.

    Parameters
    ----------
    model
        The decoder. Its graph is built again for each context.
    weights
        Values of its weights.
    prompt
        Tokens, shape (batch, positions).
    tokens
        Tokens to choose for each sequence, at least one.
    prefill_chunk
        Positions of the prompt that are computed together, all if None.
    dtype
        Floating-point type of all arithmetic.
    """
    batch, length = prompt.shape
    chosen: list[Array] = []
    logits: list[Array] = []
    state: dict[str, Array] = {}
    before: OperatorGraph | None = None
    ends = [*range(prefill_chunk or length, length, prefill_chunk or length), length]
    ends += range(length + 1, length + tokens)
    context, given = 0, prompt
    for end in ends:
        graph = graph_of(model, context=end, batch=batch, query_tokens=end - context)
        if before is not None:
            state = _carried_state(before, state, graph)
        inputs = {TOKENS: given[:, context:end].reshape(-1, 1)}
        found = evaluate(graph, inputs, weights, state, dtype=dtype)
        state = {
            tensor.name: found[tensor.name] for tensor in graph.of_role(Role.STATE)
        }
        before, context = graph, end
        if end >= length:
            answer = found["head.token"].astype(np.int64)
            given = np.hstack([given, answer])
            chosen.append(answer)
            logits.append(found["head.logits"])
    return Decoded(np.hstack(chosen), np.stack(logits, axis=1))


def _carried_state(
    before: OperatorGraph, state: Mapping[str, Array], after: OperatorGraph
) -> dict[str, Array]:
    """Return a workload's KV cache of one iteration as the next one finds it.

    Parameters
    ----------
    before, after
        Graphs of consecutive iterations of the same sequences.
    state
        KV cache after the first of them.

    Returns
    -------
    dict
        For each sequence the positions that the next iteration keeps, then zeros for
        those that it computes; states that every token replaces are as they were left.
    """
    carried = {}
    batch, fresh = after.rows.batch, after.rows.query_tokens
    assert before.rows.context == after.rows.first_position, "not consecutive"
    for tensor in after.of_role(Role.STATE):
        if is_recurrent(tensor.name):
            carried[tensor.name] = state[tensor.name]
            continue
        positions = tensor.rows // batch
        old = state[tensor.name].reshape(batch, -1, tensor.columns)
        kept = old[:, old.shape[1] - (positions - fresh) :]
        grown = np.zeros((batch, positions, tensor.columns), dtype=old.dtype)
        grown[:, : positions - fresh] = kept
        carried[tensor.name] = grown.reshape(tensor.rows, tensor.columns)
    return carried
