"""Element-wise nodes of ONNX graphs: arithmetic, comparisons and activations."""

from collections.abc import Callable

import numpy as np

from specs.vector_functions import VectorFunction as V
from workloads.onnx_files.nodes.node import Node
from workloads.onnx_files.values import Value

# Functions of one operand, and of several from left to right.
_ONE = {
    "Abs": V.ABSOLUTE,
    "Cos": V.COSINE,
    "Erf": V.ERF,
    "Exp": V.EXP,
    "Log": V.LOG,
    "Relu": V.RELU,
    "Sigmoid": V.SIGMOID,
    "Sin": V.SINE,
    "Sqrt": V.SQRT,
    "Tanh": V.TANH,
}
_SEVERAL = {
    "Add": V.ADD,
    "And": V.MULTIPLY,
    "Div": V.DIVIDE,
    "Equal": V.EQUAL,
    "Less": V.LESS,
    "Max": V.MAXIMUM,
    "Min": V.MINIMUM,
    "Mul": V.MULTIPLY,
    "Or": V.MAXIMUM,
    "Pow": V.POWER,
    "Sub": V.SUBTRACT,
    "Sum": V.ADD,
    "Where": V.SELECT,
}
# Numbers that ONNX takes for those that a node does not give.
_HARD_SIGMOID = (0.2, 0.5)
_SELU = (1.67326319217681884765625, 1.05070102214813232421875)


def _of_one(node: Node) -> Value:
    return node.builder.elementwise(_ONE[node.kind], node.value(0))


def _of_several(node: Node) -> Value:
    values = [node.value(place) for place in range(len(node.inputs))]
    if len(values) == 1:
        return values[0]
    if node.kind == "Div" and node.attributes["whole"]:
        raise node.refuse("divides whole numbers, which cuts them off")
    if node.kind == "Where":
        return node.builder.elementwise(V.SELECT, *values)
    # A function of many operands of different shapes goes from left to right.
    if any(value.shape != node.shape for value in values[1:-1]):
        made = values[0]
        for value in values[1:]:
            made = node.builder.elementwise(_SEVERAL[node.kind], made, value)
        return made
    return node.builder.elementwise(_SEVERAL[node.kind], *values)


def _mean(node: Node) -> Value:
    values = [node.value(place) for place in range(len(node.inputs))]
    total = node.builder.elementwise(V.ADD, *values) if values[1:] else values[0]
    share = node.builder.scalar(1 / len(values))
    return node.builder.elementwise(V.MULTIPLY, total, share)


def _swapped(node: Node) -> Value:
    return node.builder.elementwise(V.LESS, node.value(1), node.value(0))


def _not(node: Node, value: Value | None = None) -> Value:
    one = node.builder.scalar(1)
    return node.builder.elementwise(V.SUBTRACT, one, value or node.value(0))


def _less_or_equal(node: Node) -> Value:
    return _not(node, _swapped(node))


def _greater_or_equal(node: Node) -> Value:
    less = node.builder.elementwise(V.LESS, node.value(0), node.value(1))
    return _not(node, less)


def _negative(node: Node) -> Value:
    minus = node.builder.scalar(-1)
    return node.builder.elementwise(V.MULTIPLY, node.value(0), minus)


def _reciprocal(node: Node) -> Value:
    return node.builder.elementwise(V.DIVIDE, node.builder.scalar(1), node.value(0))


def _gelu(node: Node) -> Value:
    approximate = node.attributes.get("approximate", "none")
    function = V.GELU_TANH if approximate == "tanh" else V.GELU
    return node.builder.elementwise(function, node.value(0))


def _swish(node: Node) -> Value:
    alpha = float(node.attributes.get("alpha", 1.0))
    if alpha == 1:
        return node.builder.elementwise(V.SILU, node.value(0))
    slope = node.builder.scalar(alpha)
    scaled = node.builder.elementwise(V.MULTIPLY, node.value(0), slope)
    gate = node.builder.elementwise(V.SIGMOID, scaled)
    return node.builder.elementwise(V.MULTIPLY, node.value(0), gate)


def _clip(node: Node) -> Value:
    value = node.value(0)
    for place, key, function in ((1, "min", V.MAXIMUM), (2, "max", V.MINIMUM)):
        if node.has(place):
            value = node.builder.elementwise(function, value, node.value(place))
        elif key in node.attributes:
            bound = node.builder.scalar(float(node.attributes[key]))
            value = node.builder.elementwise(function, value, bound)
    return value


def _two_slopes(node: Node, slope: Value) -> Value:
    """Return what is positive, plus `slope` times what is not."""
    zero = node.builder.scalar(0)
    over = node.builder.elementwise(V.RELU, node.value(0))
    under = node.builder.elementwise(V.MINIMUM, node.value(0), zero)
    sloped = node.builder.elementwise(V.MULTIPLY, under, slope)
    return node.builder.elementwise(V.ADD, over, sloped)


def _leaky(node: Node) -> Value:
    alpha = float(node.attributes.get("alpha", 0.01))
    if not 0 <= alpha <= 1:
        return _two_slopes(node, node.builder.scalar(alpha))
    slope = node.builder.scalar(alpha)
    sloped = node.builder.elementwise(V.MULTIPLY, node.value(0), slope)
    return node.builder.elementwise(V.MAXIMUM, node.value(0), sloped)


def _learned_slope(node: Node) -> Value:
    slope, shape = node.value(1), node.value(0).shape
    if len(slope.shape) == 1 and slope.shape[0] == shape[1] != shape[-1]:
        # Old files give a slope for each channel.
        slope = slope.of(slope.cells.reshape(-1, *(1 for _ in shape[2:])))
    return _two_slopes(node, slope)


def _elu(node: Node, alpha: float | None = None) -> Value:
    if alpha is None:
        alpha = float(node.attributes.get("alpha", 1.0))
    zero, one = node.builder.scalar(0), node.builder.scalar(1)
    over = node.builder.elementwise(V.RELU, node.value(0))
    under = node.builder.elementwise(V.MINIMUM, node.value(0), zero)
    raised = node.builder.elementwise(V.EXP, under)
    less = node.builder.elementwise(V.SUBTRACT, raised, one)
    if alpha != 1:
        slope = node.builder.scalar(alpha)
        less = node.builder.elementwise(V.MULTIPLY, less, slope)
    return node.builder.elementwise(V.ADD, over, less)


def _selu(node: Node) -> Value:
    alpha = float(node.attributes.get("alpha", _SELU[0]))
    gamma = node.builder.scalar(float(node.attributes.get("gamma", _SELU[1])))
    return node.builder.elementwise(V.MULTIPLY, _elu(node, alpha), gamma)


def _softplus(node: Node) -> Value:
    raised = node.builder.elementwise(V.EXP, node.value(0))
    more = node.builder.elementwise(V.ADD, raised, node.builder.scalar(1))
    return node.builder.elementwise(V.LOG, more)


def _hard_gate(node: Node, slope: float, shift: float) -> Value:
    """Return a line that is cut off below 0 and above 1."""
    one, zero = node.builder.scalar(1), node.builder.scalar(0)
    made = node.builder.elementwise(
        V.MULTIPLY, node.value(0), node.builder.scalar(slope)
    )
    made = node.builder.elementwise(V.ADD, made, node.builder.scalar(shift))
    made = node.builder.elementwise(V.MAXIMUM, made, zero)
    return node.builder.elementwise(V.MINIMUM, made, one)


def _hard_sigmoid(node: Node) -> Value:
    slope, shift = _HARD_SIGMOID
    alpha = float(node.attributes.get("alpha", slope))
    return _hard_gate(node, alpha, float(node.attributes.get("beta", shift)))


def _hard_swish(node: Node) -> Value:
    gate = _hard_gate(node, 1 / 6, 0.5)
    return node.builder.elementwise(V.MULTIPLY, node.value(0), gate)


def _cast(node: Node) -> Value:
    """Return numbers as they are: formats are those of the machine."""
    if node.attributes["cuts"]:
        raise node.refuse("turns numbers into integers")
    return node.value(0)


def _same(node: Node) -> Value:
    return node.value(0)


def _dropout(node: Node) -> Value:
    training = node.known(2) if node.has(2) else None
    node.only_first()
    if node.has(2) and (training is None or bool(np.any(training))):
        raise node.refuse("drops elements in training")
    return node.value(0)


ELEMENTWISE_NODES: dict[str, Callable[[Node], Value]] = {
    **dict.fromkeys(_ONE, _of_one),
    **dict.fromkeys(_SEVERAL, _of_several),
    "Cast": _cast,
    "Clip": _clip,
    "Dropout": _dropout,
    "Elu": _elu,
    "Gelu": _gelu,
    "Greater": _swapped,
    "GreaterOrEqual": _greater_or_equal,
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": _hard_swish,
    "Identity": _same,
    "LeakyRelu": _leaky,
    "LessOrEqual": _less_or_equal,
    "Mean": _mean,
    "Neg": _negative,
    "Not": _not,
    "PRelu": _learned_slope,
    "Reciprocal": _reciprocal,
    "Selu": _selu,
    "Softplus": _softplus,
    "Swish": _swish,
}
