import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from specs.numerical_settings import RopeScaling
from workloads.attributes import (
    HeadNormAttributes,
    PositionAttributes,
)
from workloads.operators import Function, GraphOperator, TokenRows
from workloads.reference.activations import Array
from workloads.reference.attention import (
    appended,
    head_norm,
    position,
    rotation_angles,
    softmax,
)
from workloads.rotary import Rotary


def rows(context: int, query_tokens: int = 1, batch: int = 1) -> TokenRows:
    return TokenRows(
        batch=batch, context=context, query_tokens=query_tokens, answer_tokens=1
    )


def rotated(vector: Array, at: int, rotary: Rotary) -> Array:
    operator = GraphOperator(
        name="position",
        function=Function.POSITION,
        inputs=(),
        outputs=(),
        attributes=PositionAttributes(head_dim=vector.size, rotary=rotary),
    )
    one = vector.reshape(1, -1)
    query, key, value = position(operator, [one, one, one], rows(at + 1))
    assert np.array_equal(query, key)
    assert np.array_equal(value, one)
    return np.asarray(query[0])


@given(st.integers(0, 50), st.integers(0, 50), st.integers(0, 50))
def test_the_score_of_rotated_heads_depends_on_their_distance_alone(
    a: int, b: int, shift: int
) -> None:
    rotary = Rotary(theta=100.0, dims=6)
    query, key = np.random.default_rng(1).standard_normal((2, 8))
    here = rotated(query, a, rotary) @ rotated(key, b, rotary)
    there = rotated(query, a + shift, rotary) @ rotated(key, b + shift, rotary)
    assert here == pytest.approx(there, abs=1e-9)


def test_position_0_is_not_rotated_and_position_1_by_one_radian() -> None:
    rotary = Rotary(theta=100.0, dims=2)
    vector = np.array([1.0, 0.0, 5.0])
    assert rotated(vector, 0, rotary).tolist() == [1, 0, 5]
    expected = [np.cos(1), np.sin(1), 5]
    assert rotated(vector, 1, rotary).tolist() == pytest.approx(expected)


def test_a_linear_scaling_divides_positions() -> None:
    plain = Rotary(theta=100.0, dims=8)
    scaled = Rotary(theta=100.0, dims=8, scaling=RopeScaling(kind="linear", factor=3.0))
    # Position 6 becomes 2.
    np.testing.assert_allclose(
        rotation_angles(scaled, rows(7)), rotation_angles(plain, rows(3))
    )


def test_llama3_keeps_fast_frequencies_and_divides_slow_ones() -> None:
    scaling = RopeScaling(kind="llama3", factor=8.0, trained_positions=64)
    plain = Rotary(theta=10_000.0, dims=8)
    scaled = Rotary(theta=10_000.0, dims=8, scaling=scaling)
    ratio = rotation_angles(plain, rows(2)) / rotation_angles(scaled, rows(2))
    # In 64 positions they turn 10.2, 1.02, 0.102 and 0.0102 times.
    assert ratio[0, [0, 2, 3]].tolist() == pytest.approx([1, 8, 8])
    assert 1 < ratio[0, 1] < 8


def test_llama3_keeps_or_divides_if_there_is_no_room_between_its_factors() -> None:
    # As Llama 4 Scout has it.
    scaling = RopeScaling(
        kind="llama3",
        factor=16.0,
        trained_positions=64,
        low_frequency_factor=1.0,
        high_frequency_factor=1.0,
    )
    plain = Rotary(theta=10_000.0, dims=8)
    scaled = Rotary(theta=10_000.0, dims=8, scaling=scaling)
    ratio = rotation_angles(plain, rows(2)) / rotation_angles(scaled, rows(2))
    # In 64 positions they turn 10.2, 1.02, 0.102 and 0.0102 times.
    assert ratio[0].tolist() == pytest.approx([1, 1, 16, 16])


def test_new_rows_replace_the_last_ones_of_each_sequence() -> None:
    cache = np.array([[1], [2], [0], [3], [4], [0]])
    new = np.array([[7], [8]])
    found = appended(new, [cache], rows(3, batch=2))
    assert found[:, :, 0].tolist() == [[1, 2, 7], [3, 4, 8]]


def test_a_sink_takes_its_share_and_gives_no_position_more() -> None:
    operator = GraphOperator(
        name="softmax", function=Function.SOFTMAX, inputs=(), outputs=()
    )
    # Two heads of one row: exponentials of 1 and 3, and sinks of 4 and 1.
    scores = np.log(np.array([[1.0, 3], [1, 3]]))
    sinks = np.log(np.array([[4.0, 1]]))
    (shares,) = softmax(operator, [scores, sinks], rows(2))
    assert shares == pytest.approx(np.array([[1 / 8, 3 / 8], [1 / 5, 3 / 5]]))
    (alone,) = softmax(operator, [scores], rows(2))
    assert alone == pytest.approx(np.array([[1 / 4, 3 / 4]] * 2))


def test_queries_grow_with_the_logarithm_of_their_position() -> None:
    operator = GraphOperator(
        name="position",
        function=Function.POSITION,
        inputs=(),
        outputs=(),
        attributes=PositionAttributes(head_dim=1, query_growth=2.0, growth_positions=2),
    )
    one = np.ones((4, 1))
    query, key, _ = position(operator, [one, one, one], rows(4, query_tokens=4))
    assert query[:, 0].tolist() == pytest.approx(
        [1, 1 + 2 * np.log(2), 1 + 2 * np.log(2), 1 + 2 * np.log(3)]
    )
    assert key[:, 0].tolist() == [1] * 4


def test_a_norm_of_heads_without_weights_sums_squares_alone() -> None:
    operator = GraphOperator(
        name="head_norm",
        function=Function.HEAD_NORM,
        inputs=(),
        outputs=(),
        attributes=HeadNormAttributes(head_dim=2, epsilon=0.0, weighted=False),
    )
    query, key = np.array([[3.0, 4]]), np.array([[0.0, 2]])
    found = head_norm(operator, [query, key], rows(1))
    assert [each.tolist() for each in found] == [[[3, 4]], [[0, 2]], [[25, 4]]]
