"""Functions of linear attention on numbers that can be followed in the head."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from specs.linear_attention import LinearAttention
from specs.model import ModelSpec
from workloads.attributes import LinearAttributes
from workloads.decoding import decode
from workloads.model_graph import graph_of
from workloads.operators import Function, GraphOperator, TokenRows
from workloads.reference.activations import Array, silu
from workloads.reference.evaluation import random_weights
from workloads.reference.linear_attention import (
    convolve,
    decay,
    delta_rule,
    gated_norm,
    output_gate,
    unit_norm,
)

SIZES = LinearAttention(key_heads=1, value_heads=2, key_dim=2, value_dim=1, kernel=3)
ONE = TokenRows(batch=1, context=1, query_tokens=1, answer_tokens=1)
TWO = TokenRows(batch=1, context=2, query_tokens=2, answer_tokens=1)


def found(
    function: Any, operands: Sequence[Any], rows: TokenRows = ONE, epsilon: float = 0.0
) -> list[Array]:
    operator = GraphOperator(
        name="any",
        function=Function.DELTA_RULE,
        inputs=(),
        outputs=(),
        attributes=LinearAttributes(linear=SIZES, epsilon=epsilon),
    )
    return [
        *function(operator, [np.array(each, dtype=float) for each in operands], rows)
    ]


def test_a_gate_of_zero_halves() -> None:
    assert found(output_gate, [[[4.0, 6.0]], [[0.0, 100.0]]])[0].tolist() == [
        [2.0, 6.0]
    ]


def test_a_convolution_weighs_the_last_tokens_and_keeps_two() -> None:
    # One channel each of queries, keys and values; only queries have weights.
    weights = [[[1.0, 10.0, 100.0]], [[0.0] * 3], [[0.0] * 3]]
    states = [[[1.0], [2.0]], [[0.0], [0.0]], [[0.0], [0.0]]]
    new = [[[3.0], [4.0]], [[5.0], [6.0]], [[7.0], [8.0]]]
    query, key, _, *kept = found(convolve, [*new, *weights, *states], TWO)
    assert query.ravel() == pytest.approx(silu(np.array([321.0, 432.0])))
    assert key.ravel().tolist() == [0.0, 0.0]
    assert [each.ravel().tolist() for each in kept] == [[3, 4], [5, 6], [7, 8]]


def test_queries_are_shorter_than_keys_by_the_root_of_a_head() -> None:
    queries, keys = found(unit_norm, [[[3.0, 4.0]], [[0.0, 2.0]]])
    assert queries[0] * 2**0.5 == pytest.approx([0.6, 0.8])
    assert keys[0].tolist() == [0.0, 1.0]


def test_a_rate_of_one_keeps_a_half_where_the_bias_cancels() -> None:
    # The softplus of 0 is the logarithm of 2.
    written, kept = found(
        decay, [[[0.0, 0.0]], [[3.0, 3.0]], [[0.0, 0.0]], [[-3.0, -1e3]]]
    )
    assert written.tolist() == [[0.5, 0.5]]
    assert kept[0] == pytest.approx([0.5, 1.0])


def test_a_state_is_corrected_by_what_it_recalls() -> None:
    # Heads keep a half and all; both recall 4 and 8 by the key (1, 0), and are to
    # hold 6 and 8 there, of which they write a half and all.
    state = [[8.0, 8.0], [2.0, 2.0]]
    operands = [[[1.0, 1.0]], [[1.0, 0.0]], [[6.0, 9.0]], [[0.5, 1.0]], [[0.5, 1.0]]]
    read, after = found(delta_rule, [*operands, state])
    # 4 + (6 - 4) / 2 and 8 + (9 - 8).
    assert after.tolist() == [[5.0, 9.0], [1.0, 2.0]]
    # The query (1, 1) reads both rows.
    assert read.tolist() == [[6.0, 11.0]]


def test_a_gated_norm_is_of_each_head_before_its_gate() -> None:
    (result,) = found(gated_norm, [[[3.0, -5.0]], [[1.0, 2.0]], [[2.0]]])
    assert result[0] == pytest.approx(
        [2 * silu(np.array(1.0)), -2 * silu(np.array(2.0))]
    )


def test_chunks_of_a_prompt_leave_the_state_of_single_tokens(
    linear_model: ModelSpec,
) -> None:
    graph = graph_of(linear_model, context=6, batch=2, query_tokens=6)
    weights = random_weights(graph, 3)
    prompt = np.array([[5, 1, 7, 2, 9, 4], [0, 3, 3, 8, 1, 6]])
    whole, chunks, single = (
        decode(linear_model, weights, prompt, 3, prefill_chunk=chunk)
        for chunk in (None, 4, 1)
    )
    np.testing.assert_allclose(whole.logits, chunks.logits, atol=1e-9)
    np.testing.assert_allclose(whole.logits, single.logits, atol=1e-9)
