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
    POWER = "power"
    MAXIMUM = "maximum"
    MINIMUM = "minimum"
    SELECT = "select"
    LESS = "less"
    EQUAL = "equal"
    ABSOLUTE = "absolute"
    EXP = "exp"
    LOG = "log"
    SQRT = "sqrt"
    ERF = "erf"
    SINE = "sine"
    COSINE = "cosine"
    RELU = "relu"
    SIGMOID = "sigmoid"
    TANH = "tanh"
    SILU = "silu"
    GELU = "gelu"
    GELU_TANH = "gelu_tanh"
    REDUCE_SUM = "reduce_sum"
    REDUCE_MEAN = "reduce_mean"
    REDUCE_MAX = "reduce_max"
    SOFTMAX = "softmax"
    RMS_NORM = "rms_norm"
    LAYER_NORM = "layer_norm"
    SWIGLU = "swiglu"
    LSTM_CELL = "lstm_cell"
    REARRANGE = "rearrange"


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
        Whether an element of the result follows from all elements of its row, or of a
        piece of it. Otherwise, unless the function moves elements, it follows from
        those in its own place.
    blocks
        Blocks of columns, side by side in the first operand, of which an element of
        the result takes one element each: the gates of an LSTM.
    results
        Number of results.
    reductions
        Sums or largest elements of a row, one after the other; sums of the same pass
        shift together.
    reduces
        Whether the result has an element for each piece of a row of the operand.
    moves
        Whether it moves elements to other places, which is work of the SXM.
    """

    least: int
    most: int | None
    operations: int
    passes: int = 1
    over_rows: bool = False
    blocks: int = 1
    results: int = 1
    reductions: int = 0
    reduces: bool = False
    moves: bool = False

    @property
    def in_place(self) -> bool:
        """Return whether a function's results follow from operands in their places."""
        return not (self.over_rows or self.moves)


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
    # The exponential of a logarithm times the exponent.
    VectorFunction.POWER: VectorFunctionFacts(2, 2, 3),
    VectorFunction.MAXIMUM: VectorFunctionFacts(2, None, 1),
    VectorFunction.MINIMUM: VectorFunctionFacts(2, None, 1),
    VectorFunction.SELECT: VectorFunctionFacts(3, 3, 1),
    VectorFunction.LESS: VectorFunctionFacts(2, 2, 1),
    VectorFunction.EQUAL: VectorFunctionFacts(2, 2, 1),
    VectorFunction.ABSOLUTE: VectorFunctionFacts(1, 1, 1),
    VectorFunction.EXP: VectorFunctionFacts(1, 1, 1),
    VectorFunction.LOG: VectorFunctionFacts(1, 1, 1),
    VectorFunction.SQRT: VectorFunctionFacts(1, 1, 1),
    # Polynomials, as that of a GELU; their terms are assumed.
    VectorFunction.ERF: VectorFunctionFacts(1, 1, 4),
    VectorFunction.SINE: VectorFunctionFacts(1, 1, 4),
    VectorFunction.COSINE: VectorFunctionFacts(1, 1, 4),
    VectorFunction.RELU: VectorFunctionFacts(1, 1, 1),
    VectorFunction.SIGMOID: VectorFunctionFacts(1, 1, _SIGMOID),
    VectorFunction.TANH: VectorFunctionFacts(1, 1, _SIGMOID),
    VectorFunction.SILU: VectorFunctionFacts(1, 1, 1 + _SIGMOID),
    VectorFunction.GELU: VectorFunctionFacts(1, 1, 6),
    VectorFunction.GELU_TANH: VectorFunctionFacts(1, 1, 6),
    VectorFunction.REDUCE_SUM: VectorFunctionFacts(
        1, 1, 1, over_rows=True, reductions=1, reduces=True
    ),
    VectorFunction.REDUCE_MEAN: VectorFunctionFacts(
        1, 1, 2, over_rows=True, reductions=1, reduces=True
    ),
    VectorFunction.REDUCE_MAX: VectorFunctionFacts(
        1, 1, 1, over_rows=True, reductions=1, reduces=True
    ),
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
    VectorFunction.REARRANGE: VectorFunctionFacts(1, None, 1, moves=True),
}


def operations_of(function: VectorFunction, operands: int) -> int:
    """Return the operations on each element that a graph's function takes."""
    facts = FACTS[function]
    each_but_the_first = facts.most is None and not facts.moves
    return facts.operations * (operands - 1 if each_but_the_first else 1)
