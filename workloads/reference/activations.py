"""Activation functions by the names that Hugging Face transformers gives them."""

from collections.abc import Callable, Mapping
from math import pi, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf, expit

from specs.errors import SpecError, nearest

Array = NDArray[Any]


def silu(x: Array) -> Array:
    """Evaluate (reference): x times its logistic sigmoid."""
    return np.asarray(x * expit(x))


def gelu(x: Array) -> Array:
    """Evaluate (reference): x times the normal distribution function [1]_.

    References
    ----------
    .. [1] D. Hendrycks, K. Gimpel, "Gaussian Error Linear Units", arXiv:1606.08415.
    """
    return np.asarray(0.5 * x * (1 + erf(x / sqrt(2))))


def gelu_tanh(x: Array) -> Array:
    """Evaluate (reference): `gelu` approximated by a tangent, by the same paper."""
    return np.asarray(0.5 * x * (1 + np.tanh(sqrt(2 / pi) * (x + 0.044715 * x**3))))


def relu(x: Array) -> Array:
    """Evaluate (reference): x where it is positive, otherwise 0."""
    return np.maximum(x, 0)


def relu2(x: Array) -> Array:
    """Evaluate (reference): the square of `relu` [1]_.

    References
    ----------
    .. [1] D. So et al., "Primer: Searching for Efficient Transformers for Language
       Modeling", arXiv:2109.08668.
    """
    return np.square(relu(x))


ACTIVATIONS: Mapping[str, Callable[[Array], Array]] = {
    "gelu": gelu,
    "gelu_new": gelu_tanh,
    "gelu_pytorch_tanh": gelu_tanh,
    "relu": relu,
    "relu2": relu2,
    "silu": silu,
    "swish": silu,
    "tanh": np.tanh,
}


def activation(name: str) -> Callable[[Array], Array]:
    """Evaluate (reference): the activation function of a name.

    Raises
    ------
    SpecError
        If it is not modelled.
    """
    if name not in ACTIVATIONS:
        raise SpecError(
            f"activation {name!r} is not modelled; {nearest(name, ACTIVATIONS)}"
        )
    return ACTIVATIONS[name]
