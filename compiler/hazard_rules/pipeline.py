"""Pipeline rule: a product may start while the one before it drains.

For `compiler.verify`; independent of the code that makes programs.
"""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from chip.functional_units import SlicePort
from chip.program import OperatorKind

# A product reads and writes SRAM as any operator does beside another one.
_MEMORY = (SlicePort.MEM_READ, SlicePort.MEM_WRITE)


def follows_in_pipeline(
    kinds: Sequence[OperatorKind],
    earlier: NDArray[np.integer],
    later: NDArray[np.integer],
    apart: NDArray[np.integer],
) -> NDArray[np.bool_]:
    """Return for a hazard rule whether each part of the MXM is free for a product.

    Parameters
    ----------
    kinds
        Kinds of operators.
    earlier, later
        Kinds of two products that overlap in time, shape ``(pairs,)``.
    apart
        Cycles from the start of the earlier one to that of the later one.
    """
    pairs = np.array([earlier, later, apart], dtype=np.int64)
    distinct, place = np.unique(pairs, axis=1, return_inverse=True)
    free = [
        min(one, other) >= 0 and _free(kinds[one], kinds[other], cycles)
        for one, other, cycles in distinct.T.tolist()
    ]
    return np.array(free, dtype=bool)[place.ravel()]


def _free(earlier: OperatorKind, later: OperatorKind, apart: int) -> bool:
    """Return whether no slice port does a part of both kinds at a time."""
    ends: defaultdict[SlicePort, int] = defaultdict(int)
    for step in earlier.steps:
        end = step.start_cycle + step.duration_cycles
        ends[step.port] = max(ends[step.port], end)
    return all(
        apart + step.start_cycle >= ends[step.port]
        for step in later.steps
        if step.port not in _MEMORY
    )
