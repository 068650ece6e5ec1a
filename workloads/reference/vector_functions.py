"""Vector functions by name: what a vector operator of a graph computes.

Each takes its operands in order and the epsilon of norms, and returns the results in
order. Operands are matrices; those of one row or one element go with all rows.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import reduce

import numpy as np
from scipy.special import expit

from specs.vector_functions import VectorFunction
from workloads.reference.activations import Array, gelu, gelu_tanh, relu, silu

VectorKernel = Callable[[Sequence[Array], float], tuple[Array, ...]]


def vector_function(function: VectorFunction) -> VectorKernel:
    """Evaluate (reference): the vector function of a name, on matrices."""
    return _KERNELS[function]


def _of_one(function: Callable[[Array], Array]) -> VectorKernel:
    """Return a function of one operand."""
    return lambda operands, _: (function(operands[0]),)


def _of_several(function: Callable[[Array, Array], Array]) -> VectorKernel:
    """Return a function of operands that is applied from left to right."""
    return lambda operands, _: (reduce(function, operands),)


def _softmax(x: Array) -> Array:
    """Return exponentials by their sum, in each row."""
    raised = np.exp(x - x.max(axis=-1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=-1, keepdims=True))


def _rms_norm(operands: Sequence[Array], epsilon: float) -> tuple[Array, ...]:
    """Return rows by their root mean square, times the weights."""
    x, weights = operands
    square = np.mean(x * x, axis=-1, keepdims=True)
    return (x / np.sqrt(square + x.dtype.type(epsilon)) * weights.reshape(1, -1),)


def _layer_norm(operands: Sequence[Array], epsilon: float) -> tuple[Array, ...]:
    """Return rows less their mean by their deviation, times weights, plus a bias."""
    x, weights, bias = operands
    centred = x - x.mean(axis=-1, keepdims=True)
    square = np.mean(centred * centred, axis=-1, keepdims=True)
    normed = centred / np.sqrt(square + x.dtype.type(epsilon))
    return (normed * weights.reshape(1, -1) + bias.reshape(1, -1),)


def _swiglu(operands: Sequence[Array], _: float) -> tuple[Array, ...]:
    """Return the activated first half of the columns, times the second."""
    gate, up = np.split(operands[0], 2, axis=-1)
    return (silu(gate) * up,)


def _lstm_cell(operands: Sequence[Array], _: float) -> tuple[Array, ...]:
    """Return the cell and the hidden state of an LSTM.

    The blocks of the first operand are input, forget and output gate, and the new cell.
    """
    gates, cell, *bias = operands
    biased = gates + bias[0] if bias else gates
    into, forget, out, new = np.split(biased, 4, axis=-1)
    made = expit(forget) * cell + expit(into) * np.tanh(new)
    return made, expit(out) * np.tanh(made)


_KERNELS: Mapping[VectorFunction, VectorKernel] = {
    VectorFunction.COPY: _of_one(np.copy),
    VectorFunction.ADD: _of_several(np.add),
    VectorFunction.SUBTRACT: _of_several(np.subtract),
    VectorFunction.MULTIPLY: _of_several(np.multiply),
    VectorFunction.DIVIDE: _of_several(np.divide),
    VectorFunction.MAXIMUM: _of_several(np.maximum),
    VectorFunction.EXP: _of_one(np.exp),
    VectorFunction.SQRT: _of_one(np.sqrt),
    VectorFunction.RELU: _of_one(relu),
    VectorFunction.SIGMOID: _of_one(expit),
    VectorFunction.TANH: _of_one(np.tanh),
    VectorFunction.SILU: _of_one(silu),
    VectorFunction.GELU: _of_one(gelu),
    VectorFunction.GELU_TANH: _of_one(gelu_tanh),
    VectorFunction.SOFTMAX: _of_one(_softmax),
    VectorFunction.RMS_NORM: _rms_norm,
    VectorFunction.LAYER_NORM: _layer_norm,
    VectorFunction.SWIGLU: _swiglu,
    VectorFunction.LSTM_CELL: _lstm_cell,
}
