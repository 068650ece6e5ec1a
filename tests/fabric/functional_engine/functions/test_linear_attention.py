"""Linear attention on a chip, against the reference of the same numbers."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from fabric.functional_engine.call import Call
from fabric.functional_engine.functions.linear_attention import (
    convolved,
    decayed,
    delta_updated,
    gate_normed,
    output_gated,
    unit_normed,
)
from fabric.functional_engine.memory import Array
from specs.errors import VerificationError
from specs.linear_attention import LinearAttention
from workloads.attributes import LinearAttributes
from workloads.operators import Function, GraphOperator, TokenRows
from workloads.reference import linear_attention as reference

MakeCall = Callable[..., Call]
SIZES = LinearAttention(key_heads=2, value_heads=4, key_dim=3, value_dim=5, kernel=3)
EPSILON = 1e-3
RANDOM = np.random.default_rng(11)
QUERY, KEY = RANDOM.standard_normal((2, 4, 6))
VALUE, GATE = RANDOM.standard_normal((2, 4, 20))
WRITTEN, KEPT = RANDOM.uniform(0, 1, (2, 4, 4))
KERNELS = [RANDOM.standard_normal((size, 3)) for size in (6, 6, 20)]
STATES = tuple(f"layers.0.attention.{kind}_state" for kind in ("query", "key", "value"))
NEW = [("query", QUERY), ("key", KEY), ("value", VALUE)]


def expected(function: Any, *operands: Array) -> tuple[Array, ...]:
    """Return what the reference makes of four tokens of a sequence."""
    operator = GraphOperator(
        name="any",
        function=Function.DELTA_RULE,
        inputs=(),
        outputs=(),
        attributes=LinearAttributes(linear=SIZES, epsilon=EPSILON),
    )
    rows = TokenRows(batch=1, context=4, query_tokens=4, answer_tokens=1)
    found: tuple[Array, ...] = function(operator, operands, rows)
    return found


@pytest.fixture
def made(call: MakeCall) -> Callable[..., list[Array]]:
    """Return what a function makes of some tokens, at a position."""

    def make(
        function: Any,
        *reads: Any,
        weights: Any = (),
        states: tuple[str, ...] = (),
        positions: tuple[int, int] = (4, 4),
        caches: Any = None,
    ) -> list[Array]:
        one = call(
            *reads, weights=weights, positions=positions, linear=SIZES, epsilon=EPSILON
        )
        one = replace(one, states=states, caches=caches or one.caches)
        results: list[Array] = function(one)
        return results

    return make


def test_values_are_those_of_the_reference(made: Callable[..., list[Array]]) -> None:
    norm = np.linspace(0.5, 1.5, 5)
    rate, bias = np.array([[0.1, -0.2, 0.3, 0.0], [1.0, 2.0, 3.0, 4.0]])
    for ours, theirs in (
        (
            made(output_gated, ("context", VALUE), ("output_gate", GATE)),
            expected(reference.output_gate, VALUE, GATE),
        ),
        (
            made(unit_normed, ("mixed_query", QUERY), ("mixed_key", KEY)),
            expected(reference.unit_norm, QUERY, KEY),
        ),
        (
            made(
                decayed,
                ("write", WRITTEN),
                ("decay", KEPT),
                weights=[("decay_rate.weight", rate), ("decay.bias", bias)],
            ),
            expected(reference.decay, WRITTEN, KEPT, rate[None], bias[None]),
        ),
        (
            made(
                gate_normed,
                ("recalled", VALUE),
                ("output_gate", GATE),
                weights=[("output_norm.weight", norm)],
            ),
            expected(reference.gated_norm, VALUE, GATE, norm[None]),
        ),
    ):
        for one, other in zip(ours, theirs, strict=True):
            assert one == pytest.approx(other, abs=1e-12)


def test_a_convolution_goes_on_where_it_was(made: Callable[..., list[Array]]) -> None:
    weights = [
        (f"{n}_kernel.weight", w) for (n, _), w in zip(NEW, KERNELS, strict=True)
    ]
    zeros = [np.zeros((2, size)) for size in (6, 6, 20)]
    theirs = expected(reference.convolve, QUERY, KEY, VALUE, *KERNELS, *zeros)
    ours = made(convolved, *NEW, weights=weights, states=STATES)
    for one, other in zip(ours, theirs[:3], strict=True):
        assert one == pytest.approx(other, abs=1e-12)


def test_a_delta_rule_goes_on_where_it_was(
    made: Callable[..., list[Array]], call: MakeCall
) -> None:
    rest = [("written", WRITTEN), ("kept", KEPT)]
    reads = [("queries", QUERY), ("keys", KEY), ("mixed_value", VALUE), *rest]
    theirs, _ = expected(
        reference.delta_rule, QUERY, KEY, VALUE, WRITTEN, KEPT, np.zeros((3, 20))
    )
    state = ("layers.0.attention.delta_state",)
    (whole,) = made(delta_updated, *reads, states=state)
    assert whole == pytest.approx(theirs, abs=1e-12)
    # Three tokens, then the last one, on the same chip.
    caches = call().caches
    parts = []
    for low, high in ((0, 3), (3, 4)):
        some = [(name, rows[low:high]) for name, rows in reads]
        at = (high - low, high)
        parts += made(delta_updated, *some, states=state, positions=at, caches=caches)
    assert np.vstack(parts) == pytest.approx(theirs, abs=1e-12)
    # What has seen four tokens cannot take the fourth again.
    with pytest.raises(VerificationError, match=r"at position 3, .* seen 4 positions"):
        made(delta_updated, *some, states=state, positions=(1, 4), caches=caches)
