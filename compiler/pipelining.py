"""Several sequences in flight: how soon one may follow the other."""

import numpy as np

from chip.program import Instructions, Slice
from sharding.slices import Ints

# The interval grows by 1/100, then 2/100, 3/100 ... of itself, or by a collision.
_FIRST_STEP = 100
_PORTS = 256


def collision_cycles(
    instructions: Instructions, starts: Ints, period_cycles: int
) -> int:
    """Return by how many cycles some slice is used twice, 0 if it never is.

    Parameters
    ----------
    instructions
        One token.
    starts
        Cycle at which each sequence starts it, shape ``(sequences,)``.
    period_cycles
        Cycles after which everything repeats.
    """
    work = instructions.duration_cycles > 0
    resource = (
        instructions.chip[work].astype(np.int64) * len(Slice) + instructions.slice[work]
    ) * _PORTS + np.maximum(instructions.port[work], 0)
    resource = np.tile(resource, len(starts))
    start = (instructions.start_cycle[work] + starts[:, None]).ravel() % period_cycles
    end = start + np.tile(instructions.duration_cycles[work], len(starts))
    order = np.lexsort((start, resource))
    resource, start, end = resource[order], start[order], end[order]
    same = resource[1:] == resource[:-1]
    overlap = np.where(same, end[:-1] - start[1:], 0)
    # The first use of each resource follows its last one, a period later.
    edges = np.flatnonzero(~same)
    first = np.concatenate([[0], edges + 1])
    last = np.concatenate([edges, [len(start) - 1]])
    around = end[last] - period_cycles - start[first]
    return max(0, int(overlap.max(initial=0)), int(around.max(initial=0)))


def sequence_spacing(
    instructions: Instructions,
    sequences: int,
    *,
    at_least_cycles: int,
    token_cycles: int,
) -> tuple[int, int]:
    """Return by how many cycles sequences follow each other, and the period.

    Parameters
    ----------
    instructions
        One token.
    sequences
        Sequences in flight; one alone follows itself and gets an interval of 0.
    at_least_cycles
        Least interval; it is more if two sequences would meet in a slice or on a port.
    token_cycles
        Length of a token, and the least period.
    """
    if sequences == 1:
        return 0, token_cycles
    interval, steps = at_least_cycles, 0
    while collision := _collision(instructions, sequences, interval, token_cycles):
        # A token apart, sequences never meet. The step grows, so that a crowded
        # schedule is not searched cycle by cycle.
        assert interval < token_cycles, "a token collides with itself"
        steps += 1
        step = max(collision, interval * steps // _FIRST_STEP)
        interval = min(interval + step, token_cycles)
    return interval, max(token_cycles, sequences * interval)


def _collision(
    instructions: Instructions, sequences: int, interval: int, token_cycles: int
) -> int:
    if sequences * interval >= token_cycles:
        # Modulo the interval, one token stands for all: it meets each of the others.
        alone = np.zeros(1, dtype=np.int64)
        return collision_cycles(instructions, alone, interval)
    # The first sequence follows the last after another time than an interval.
    starts = sequence_starts(sequences, interval)
    return collision_cycles(instructions, starts, token_cycles)


def sequence_starts(sequences: int, interval_cycles: int) -> Ints:
    """Return the cycle at which each sequence starts in the period."""
    return interval_cycles * np.arange(sequences, dtype=np.int64)
