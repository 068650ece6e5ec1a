import numpy as np
import pytest

from specs.vector_functions import FACTS, VectorFunction
from workloads.reference.vector_functions import vector_function

X = np.array([[1.0, -2.0, 0.5, 3.0], [0.0, 1.0, 2.0, -1.0]])
ROW = np.array([[1.0, 2.0, 4.0, 8.0]])


@pytest.mark.parametrize("function", VectorFunction)
def test_each_function_makes_as_many_results_as_it_says(
    function: VectorFunction,
) -> None:
    facts = FACTS[function]
    cell = abs(X)[:, : X.shape[1] // facts.blocks]
    several = [X, cell] if facts.blocks > 1 else [abs(X), ROW, ROW]
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
