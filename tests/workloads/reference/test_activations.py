import numpy as np
import pytest

from specs.errors import SpecError
from workloads.reference.activations import activation, gelu, gelu_tanh, relu2


@pytest.mark.parametrize(
    ("name", "at_1"),
    [
        ("silu", 0.731059),
        ("gelu", 0.841345),
        ("gelu_new", 0.841192),
        ("relu", 1.0),
        ("relu2", 1.0),
        ("tanh", 0.761594),
    ],
)
def test_an_activation_has_its_known_value_at_1_and_is_0_at_0(
    name: str, at_1: float
) -> None:
    found = activation(name)(np.array([1.0, 0.0]))
    assert found.tolist() == pytest.approx([at_1, 0], abs=1e-6)


def test_a_squared_rectifier_grows_with_the_square_of_what_is_positive() -> None:
    assert relu2(np.array([-2.0, 0.5, 3.0])).tolist() == [0, 0.25, 9]


def test_the_tangent_comes_close_to_gelu_and_is_not_the_same() -> None:
    x = np.linspace(-4, 4, 81)
    assert gelu_tanh(x) == pytest.approx(gelu(x), abs=5e-4)
    # By hand at 2: the argument is 0.797885 * (2 + 8 * 0.044715), its tangent 0.954598.
    assert gelu_tanh(np.array([2.0])) == pytest.approx([1.954598], abs=1e-6)
    assert gelu(np.array([2.0])) == pytest.approx([1.954500], abs=1e-6)


def test_an_unknown_activation_is_answered_with_the_nearest() -> None:
    with pytest.raises(SpecError, match=r"'gelu_fast' is not modelled; did you mean"):
        activation("gelu_fast")
