"""Matrix products, biases and partial sums.

Each function takes a call and returns the array of each result.
"""

from collections.abc import Sequence

import numpy as np

from fabric.functional_engine.call import Call, Operand
from fabric.functional_engine.memory import Array
from specs.errors import VerificationError
from specs.units import ceil_div

# What experts have activated, which is multiplied back onto the hidden size.
_ACTIVATED = ".activated"
# What all rows use, whatever experts they choose.
_SHARED = ".shared_"


def product(call: Call) -> list[Array]:
    """Execute: the input times the transpose of each matrix.

    With a choice of experts, a row is multiplied by the matrices of its own experts
    only, and columns of several experts lie on an axis of their own. What all rows use
    beside them is added.
    """
    source, *rest = call.reads
    if not rest:
        return [source.array @ matrix.array.T for matrix in call.weights]
    *shared, choice = rest
    matrices = [each for each in call.weights if _SHARED not in each.name]
    results = _of_experts(call, source, choice, matrices)
    if shared:
        (matrix,) = [each for each in call.weights if _SHARED in each.name]
        results = [results[0] + shared[0].array @ matrix.array.T]
    return results


def _of_experts(
    call: Call, source: Operand, choice: Operand, weights: Sequence[Operand]
) -> list[Array]:
    """Return the products with the chosen experts among those of a chip."""
    columns = call.settings.expert_columns
    by_value: dict[str, list[Operand]] = {}
    for matrix in weights:
        by_value.setdefault(matrix.name, []).append(matrix)
    inward = not source.name.endswith(_ACTIVATED)
    results = []
    for matrices in by_value.values():
        numbers = [
            (each.first if inward else each.part_first) // columns for each in matrices
        ]
        _check_room(call, choice, numbers)
        made = []
        for place, (number, matrix) in enumerate(zip(numbers, matrices, strict=True)):
            rows = np.flatnonzero(choice.array[:, number])
            shape = (len(choice.array), len(matrix.array))
            out = np.zeros(shape, dtype=source.array.dtype)
            read = source.array if inward else source.array[:, place]
            out[rows] = read[rows] @ matrix.array.T
            made.append(out)
        results.append(np.stack(made, axis=1) if inward else _total(made))
    return results


def _total(arrays: Sequence[Array]) -> Array:
    """Return the sum of arrays, in order."""
    total = arrays[0]
    for each in arrays[1:]:
        total = total + each
    return total


def _check_room(call: Call, choice: Operand, numbers: Sequence[int]) -> None:
    """Check that the schedule has room for the rows that chose a chip's experts."""
    groups = call.settings.balanced_groups
    pairs = int(np.count_nonzero(choice.array[:, list(numbers)]))
    if not groups:
        return
    room = ceil_div(call.settings.experts_per_token * len(choice.array), groups)
    if pairs > room:
        raise VerificationError(
            f"{call.name} on chip {call.chip} has room for {room} pairs of a token and "
            f"an expert, and {pairs} were chosen: with routing=balanced some would be "
            f"dropped; use routing=worst"
        )


def biased(call: Call) -> list[Array]:
    """Execute: each operand plus its bias."""
    return [
        each.array + bias.array
        for each, bias in zip(call.reads, call.weights, strict=True)
    ]


def partial_sum(call: Call) -> list[Array]:
    """Execute: operands as they are: reading them has joined their parts."""
    return [each.array for each in call.reads]
