import numpy as np
import pytest

from specs.element_view import Axis, Loop, View
from specs.vector_functions import FACTS, VectorFunction
from workloads.graph_attributes import VectorAttributes
from workloads.reference.vector_functions import vector_function, vector_kernel

X = np.array([[1.0, -2.0, 0.5, 3.0], [0.0, 1.0, 2.0, -1.0]])
ROW = np.array([[1.0, 2.0, 4.0, 8.0]])


SIZED = [name for name, facts in FACTS.items() if facts.reduces or facts.moves]


@pytest.mark.parametrize("function", [each for each in FACTS if each not in SIZED])
def test_each_function_makes_as_many_results_as_it_says(
    function: VectorFunction,
) -> None:
    facts = FACTS[function]
    cell = abs(X)[:, : X.shape[1] // facts.blocks]
    several = [X, cell] if facts.blocks > 1 else [abs(X) + 1, ROW, ROW]
    made = vector_function(function)(several[: facts.least], 1e-5)
    assert [each.shape for each in made] == [cell.shape] * facts.results


def test_a_function_of_several_operands_goes_from_left_to_right() -> None:
    (total,) = vector_function(VectorFunction.ADD)([X, ROW, X], 0)
    np.testing.assert_array_equal(total, 2 * X + ROW)
    (less,) = vector_function(VectorFunction.SUBTRACT)([X, ROW], 0)
    np.testing.assert_array_equal(less, X - ROW)


def test_a_norm_has_mean_square_one() -> None:
    (rms,) = vector_function(VectorFunction.RMS_NORM)([X, ROW], 0)
    np.testing.assert_allclose(np.mean((rms / ROW) ** 2, axis=1), 1)
    (layer,) = vector_function(VectorFunction.LAYER_NORM)([X, ROW, ROW], 0)
    normed = (layer - ROW) / ROW
    np.testing.assert_allclose(normed.mean(axis=1), 0, atol=1e-12)
    np.testing.assert_allclose(normed.std(axis=1), 1)


def test_a_softmax_sums_to_one_in_each_row() -> None:
    (shares,) = vector_function(VectorFunction.SOFTMAX)([X + 1000], 0)
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    np.testing.assert_allclose(shares[0, 3] / shares[0, 0], np.exp(2))


def attributes(function: VectorFunction, rows: int, columns: int) -> VectorAttributes:
    return VectorAttributes(function=function, epsilon=1e-5, shapes=((rows, columns),))


@pytest.mark.parametrize(
    ("function", "wanted"),
    [
        (VectorFunction.REDUCE_SUM, [[-1.0, 3.5], [1.0, 1.0]]),
        (VectorFunction.REDUCE_MEAN, [[-0.5, 1.75], [0.5, 0.5]]),
        (VectorFunction.REDUCE_MAX, [[1.0, 3.0], [1.0, 2.0]]),
    ],
)
def test_a_reduction_makes_one_element_of_each_piece_of_a_row(
    function: VectorFunction, wanted: list[list[float]]
) -> None:
    (made,) = vector_kernel(attributes(function, 2, 2))([X])
    np.testing.assert_array_equal(made, wanted)


def test_a_kernel_of_another_function_is_the_function() -> None:
    (made,) = vector_kernel(attributes(VectorFunction.RELU, *X.shape))([X])
    np.testing.assert_array_equal(made, np.maximum(X, 0))


def test_what_is_moved_in_one_turn_follows_each_other() -> None:
    plain = View(loops=(Loop(size=6, stride=1),))
    before = Axis(size=4, stride=1, start=-1)
    one = View(loops=(Loop(size=1, stride=0, axis=0),), axes=(before,), fill=7)
    moved = VectorAttributes(
        function=VectorFunction.REARRANGE,
        epsilon=1e-5,
        shapes=((1, 7),),
        views=(plain, one),
    )
    (made,) = vector_kernel(moved)([X, ROW])
    np.testing.assert_array_equal(made, [[1, -2, 0.5, 3, 0, 1, 7]])


def test_what_is_moved_in_several_turns_lies_side_by_side() -> None:
    columns = View(loops=(Loop(size=2, stride=4), Loop(size=1, stride=0)))
    twice = View(loops=(Loop(size=2, stride=0), Loop(size=2, stride=1)))
    moved = VectorAttributes(
        function=VectorFunction.REARRANGE,
        epsilon=1e-5,
        shapes=((2, 3),),
        views=(columns, twice),
        turns=2,
    )
    (made,) = vector_kernel(moved)([X, ROW])
    np.testing.assert_array_equal(made, [[1, 1, 2], [0, 1, 2]])


def test_comparisons_are_one_where_they_are_true() -> None:
    (less,) = vector_function(VectorFunction.LESS)([X, ROW], 0)
    np.testing.assert_array_equal(less, [[0, 1, 1, 1], [1, 1, 1, 1]])
    (chosen,) = vector_function(VectorFunction.SELECT)([less, X, ROW], 0)
    np.testing.assert_array_equal(chosen[0], [1, -2, 0.5, 3])
    (same,) = vector_function(VectorFunction.EQUAL)([X, ROW], 0)
    assert same.sum() == 1
