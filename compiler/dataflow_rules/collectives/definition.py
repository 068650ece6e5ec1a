"""Definition of a collective: what each member starts with, and what it must end with.

For `compiler.verify`; independent of the code that makes programs.
"""

import numpy as np

from chip.dataflow import Value
from compiler.dataflow_rules.coverage import HeldRegions
from compiler.dataflow_rules.statements import Statements
from compiler.hazard_rules.structure import violation
from specs.arrays import Ints
from workloads.collective import SUM, TENSOR, Collective, CollectivePlan

_START, _END = -1, np.iinfo(np.int64).max
_OF_ROOT = (Collective.BROADCAST, Collective.POINT_TO_POINT)


def start_and_end(
    statements: Statements, plan: CollectivePlan, vector_bytes: int
) -> tuple[HeldRegions, HeldRegions]:
    """Return what the members have before and after a collective, for coverage.

    Behind the tensor, its last vector is padding, which may travel with it.

    Parameters
    ----------
    statements
        The program's statements.
    plan
        The collective.
    vector_bytes
        Bytes of a vector, to which slices of an all-to-all are padded.
    """
    kind, members, size = plan
    count = len(members)
    every, zero = np.arange(count), np.zeros(count, dtype=np.int64)
    stated = int(statements.flow.carried.last.max(initial=0))
    tensor, total = (_value(statements, name) for name in (TENSOR, SUM))
    edges = np.arange(count + 1) * size // count

    def held(
        order: int, value: int, rows: Ints, edges: tuple[Ints, Ints], parts: Ints | None
    ) -> HeldRegions:
        if value < 0:
            raise violation(
                "the program computes something else",
                f"it states no {SUM if value == total else TENSOR}",
            )
        low, high = (0 * rows, 0 * rows + 1) if parts is None else (parts, parts + 1)
        key = members[rows] * len(statements.flow.values) + value
        made = HeldRegions(key, 0 * rows + order, *edges, low, high)
        return made.chosen(edges[0] < edges[1])

    everything = zero, zero + max(size, stated)
    whole = zero, zero + size
    if kind in _OF_ROOT:
        first = np.array([0])
        start = held(_START, tensor, first, (first, everything[1][:1]), None)
        return start, held(_END, tensor, every, whole, None)
    if kind is Collective.ALL_GATHER:
        own = edges[:-1], edges[1:]
        start = held(_START, tensor, every, own, None)
        return start, held(_END, tensor, every, whole, None)
    start = held(_START, tensor, every, everything, every)
    if kind is Collective.ALL_REDUCE:
        return start, held(_END, total, every, whole, None)
    if kind is Collective.REDUCE_SCATTER:
        return start, held(_END, total, every, (edges[:-1], edges[1:]), None)
    share = -(-size // count)
    padded = -(-share // vector_bytes) * vector_bytes
    target, part = np.divmod(np.arange(count**2), count)
    slices = target * padded, (target + 1) * padded
    return start, held(_END, tensor, target, slices, part)


def _value(statements: Statements, name: str) -> int:
    """Return the number of a value, -1 if the program does not state it."""
    values = statements.flow.values
    return values.index(Value(name, 0)) if Value(name, 0) in values else -1
