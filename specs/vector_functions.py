"""Functions of vector operators: names, operands, and the work on each element."""

from enum import StrEnum
from typing import NamedTuple


class VectorFunction(StrEnum):
    """Function that a vector operator of a graph computes."""

    COPY = "copy"
    ADD = "add"
    SUBTRACT = "subtract"
    MULTIPLY = "multiply"
    DIVIDE = "divide"
    MAXIMUM = "maximum"
    EXP = "exp"
    SQRT = "sqrt"
    RELU = "relu"
    SIGMOID = "sigmoid"
    TANH = "tanh"
    SILU = "silu"
    GELU = "gelu"
    GELU_TANH = "gelu_tanh"
    SOFTMAX = "softmax"
    RMS_NORM = "rms_norm"
    LAYER_NORM = "layer_norm"
    SWIGLU = "swiglu"
    LSTM_CELL = "lstm_cell"


class VectorFunctionFacts(NamedTuple):
    """What a function of a vector operator takes, makes and costs.

    Attributes
    ----------
    least, most
        Number of operands; `most` is None if there is no limit.
    operations
        Operations on each element in one pass; of a function of any number of
        operands, those for each one but the first.
    passes
        Passes over the elements: what follows from all of a row is known only after
        the pass that has read it.
    over_rows
        Whether an element of the result follows from all elements of its row.
        Otherwise it follows from the elements in its own place.
    blocks
        Blocks of columns, side by side in the first operand, of which an element of
        the result takes one element each: the gates of an LSTM.
    results
        Number of results.
    reductions
        Sums or largest elements of a row, one after the other; sums of the same pass
        shift together.
    """

    least: int
    most: int | None
    operations: int
    passes: int = 1
    over_rows: bool = False
    blocks: int = 1
    results: int = 1
    reductions: int = 0


# A sigmoid or tangent is an exponential, a sum and a division. A gate of an LSTM takes
# a bias and one of them; the cell two products and a sum, a tangent, and a product. The
# published program takes eight vectors for each vector of the hidden state: two passes
# over four gates (gapi).
_SIGMOID = 3
FACTS = {
    VectorFunction.COPY: VectorFunctionFacts(1, 1, 1),
    VectorFunction.ADD: VectorFunctionFacts(2, None, 1),
    VectorFunction.SUBTRACT: VectorFunctionFacts(2, 2, 1),
    VectorFunction.MULTIPLY: VectorFunctionFacts(2, None, 1),
    VectorFunction.DIVIDE: VectorFunctionFacts(2, 2, 1),
    VectorFunction.MAXIMUM: VectorFunctionFacts(2, None, 1),
    VectorFunction.EXP: VectorFunctionFacts(1, 1, 1),
    VectorFunction.SQRT: VectorFunctionFacts(1, 1, 1),
    VectorFunction.RELU: VectorFunctionFacts(1, 1, 1),
    VectorFunction.SIGMOID: VectorFunctionFacts(1, 1, _SIGMOID),
    VectorFunction.TANH: VectorFunctionFacts(1, 1, _SIGMOID),
    VectorFunction.SILU: VectorFunctionFacts(1, 1, 1 + _SIGMOID),
    VectorFunction.GELU: VectorFunctionFacts(1, 1, 6),
    VectorFunction.GELU_TANH: VectorFunctionFacts(1, 1, 6),
    # The largest element, the sum of exponentials, and the division by it.
    VectorFunction.SOFTMAX: VectorFunctionFacts(
        1, 1, 4, passes=3, over_rows=True, reductions=2
    ),
    VectorFunction.RMS_NORM: VectorFunctionFacts(
        2, 2, 3, passes=2, over_rows=True, reductions=1
    ),
    VectorFunction.LAYER_NORM: VectorFunctionFacts(
        3, 3, 4, passes=2, over_rows=True, reductions=1
    ),
    VectorFunction.SWIGLU: VectorFunctionFacts(1, 1, 2 + _SIGMOID, blocks=2),
    VectorFunction.LSTM_CELL: VectorFunctionFacts(
        2, 3, (1 + _SIGMOID) + (3 + 1 + _SIGMOID), passes=2, blocks=4, results=2
    ),
}


def operations_of(function: VectorFunction, operands: int) -> int:
    """Return the operations on each element that a graph's function takes."""
    facts = FACTS[function]
    return facts.operations * (operands - 1 if facts.most is None else 1)
