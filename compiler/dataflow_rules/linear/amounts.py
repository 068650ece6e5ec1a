"""Amounts of linear attention: the work that its operations take.

For `compiler.verify`; independent of the code that makes programs.
"""

import numpy as np

from chip.dataflow import Function
from compiler.dataflow_rules.linear.functions import linear_sizes
from compiler.dataflow_rules.statements import Statements
from specs.arrays import Ints

# States are in FP32. Each is read to recall by the key, and again to be corrected.
_STATE_BITS = 32
_PASSES_PER_TOKEN = 2


def linear_elements(statements: Statements) -> tuple[tuple[Ints, Ints], ...]:
    """Return the elements of states that delta rules take, for rules of work.

    Returns
    -------
    tuple
        Operations, and the elements of each, of all sequences; empty without linear
        attention.
    """
    sizes = linear_sizes(statements)
    if sizes is None:
        return ()
    own = statements.of(Function.DELTA_RULE)
    made = statements.written(own, statements.output())
    batch = np.array([one.batch for one in statements.flow.passes], dtype=np.int64)
    number = statements.flow.operations.number[own]
    return ((own, (made.last - made.first) * sizes.key_dim * batch[number]),)


def linear_needs(statements: Statements) -> tuple[Ints, Ints, Ints]:
    """Return what vector operators of linear attention need, for rules of work.

    Returns
    -------
    tuple
        Least operands, passes and bits of an element of each operation, shape
        ``(operations,)``: an input and a weight of each tap of a convolution; and of
        a state, passes for each token, which follow each other.
    """
    flow, sizes = statements.flow, linear_sizes(statements)
    operands, passes, bits = np.zeros((3, len(flow.operations)), dtype=np.int64)
    if sizes is None:
        return operands, passes, bits
    operands[statements.of(Function.CONVOLVE)] = 2 * sizes.kernel
    own = statements.of(Function.DELTA_RULE)
    tokens = np.array([one.query_tokens for one in flow.passes], dtype=np.int64)
    passes[own] = _PASSES_PER_TOKEN * tokens[flow.operations.number[own]]
    bits[own] = _STATE_BITS
    return operands, passes, bits
