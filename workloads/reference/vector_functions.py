"""Vector functions by name: what a vector operator of a graph computes.

Each takes its operands in order and the epsilon of norms, and returns the results in
order. Operands are matrices; those of one row or one element go with all rows.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import reduce

import numpy as np
from scipy.special import erf, expit

from specs.vector_functions import VectorFunction
from workloads.graph_attributes import VectorAttributes
from workloads.reference.activations import Array, gelu, gelu_tanh, relu, silu

VectorKernel = Callable[[Sequence[Array], float], tuple[Array, ...]]


def vector_function(function: VectorFunction) -> VectorKernel:
    """Evaluate (reference): the vector function of a name, on matrices.

    Those that need the sizes of their results are in `vector_kernel`.
    """
    return _KERNELS[function]


def vector_kernel(
    attributes: VectorAttributes,
) -> Callable[[Sequence[Array]], tuple[Array, ...]]:
    """Evaluate (reference): the function of a vector operator, on its operands.

    Parameters
    ----------
    attributes
        Attributes of an operator with a function.
    """
    function, epsilon = attributes.function, attributes.epsilon
    assert function is not None
    if function is VectorFunction.REARRANGE:
        return lambda operands: _rearranged(attributes, operands)
    if function in _REDUCTIONS:
        reduction = _REDUCTIONS[function]
        return lambda operands: _reduced(attributes, operands[0], reduction)
    kernel = vector_function(function)
    return lambda operands: kernel(operands, epsilon)


def _of_one(function: Callable[[Array], Array]) -> VectorKernel:
    """Return a function of one operand."""
    return lambda operands, _: (function(operands[0]),)


def _of_several(function: Callable[[Array, Array], Array]) -> VectorKernel:
    """Return a function of operands that is applied from left to right."""
    return lambda operands, _: (reduce(function, operands),)


def _truth(function: Callable[[Array, Array], Array]) -> VectorKernel:
    """Return a comparison of two operands: 1 where it is true, 0 elsewhere."""
    return lambda operands, _: (function(*operands).astype(operands[0].dtype),)


def _select(operands: Sequence[Array], _: float) -> tuple[Array, ...]:
    """Return elements of the second operand where the first is not 0, else the third's.

    Operands of one row or one element go with all rows.
    """
    where, one, other = operands
    return (np.where(where != 0, one, other),)


def _reduced(
    attributes: VectorAttributes, operand: Array, function: Callable[..., Array]
) -> tuple[Array, ...]:
    """Return what a function makes of each piece of an operand, as one element."""
    shape = attributes.shapes[0]
    pieces = operand.reshape(*shape, -1)
    return (np.asarray(function(pieces, axis=-1)),)


def _rearranged(
    attributes: VectorAttributes, operands: Sequence[Array]
) -> tuple[Array, ...]:
    """Return the elements that views take of each operand, in turns."""
    beside = []
    for view, operand in zip(attributes.views, operands, strict=True):
        places, inside = view.places()
        real = operand.dtype.kind == "f"
        fill = operand.dtype.type(view.fill) if real else view.fill
        taken = np.where(inside, operand.reshape(-1)[places], fill)
        beside.append(taken.reshape(attributes.turns, -1))
    return (np.hstack(beside),)


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


_REDUCTIONS: Mapping[VectorFunction, Callable[..., Array]] = {
    VectorFunction.REDUCE_SUM: np.sum,
    VectorFunction.REDUCE_MEAN: np.mean,
    VectorFunction.REDUCE_MAX: np.max,
}
_KERNELS: Mapping[VectorFunction, VectorKernel] = {
    VectorFunction.COPY: _of_one(np.copy),
    VectorFunction.ADD: _of_several(np.add),
    VectorFunction.SUBTRACT: _of_several(np.subtract),
    VectorFunction.MULTIPLY: _of_several(np.multiply),
    VectorFunction.DIVIDE: _of_several(np.divide),
    VectorFunction.POWER: _of_several(np.power),
    VectorFunction.MAXIMUM: _of_several(np.maximum),
    VectorFunction.MINIMUM: _of_several(np.minimum),
    VectorFunction.SELECT: _select,
    VectorFunction.LESS: _truth(np.less),
    VectorFunction.EQUAL: _truth(np.equal),
    VectorFunction.ABSOLUTE: _of_one(np.abs),
    VectorFunction.EXP: _of_one(np.exp),
    VectorFunction.LOG: _of_one(np.log),
    VectorFunction.SQRT: _of_one(np.sqrt),
    VectorFunction.ERF: _of_one(erf),
    VectorFunction.SINE: _of_one(np.sin),
    VectorFunction.COSINE: _of_one(np.cos),
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
