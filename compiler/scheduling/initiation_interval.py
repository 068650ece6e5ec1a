"""Initiation interval: how soon one sequence in flight may follow another."""

from dataclasses import fields

import numpy as np
from numpy.typing import NDArray

from chip.program import Instructions, Slice
from specs.arrays import Ints, row_order
from specs.units import ceil_div

# The interval grows by 1/100, then 2/100, 3/100 ... of itself, or by a collision.
_FIRST_STEP = 100
# More than a slice of a chip has, so that slice and port make one number.
MOST_PORTS = 256


def collision_cycles(
    instructions: Instructions, starts: Ints, period_cycles: int
) -> int:
    """Return the longest overlap of two scheduled uses of a slice, 0 if there is none.

    Parameters
    ----------
    instructions
        One token.
    starts
        Cycle at which each sequence starts it, shape ``(sequences,)``.
    period_cycles
        Cycles after which everything repeats.

    Returns
    -------
    int
        Cycles for which both are there at once.
    """
    work = instructions.duration_cycles > 0
    if not work.any():
        return 0
    resource = (
        instructions.chip[work].astype(np.int64) * len(Slice) + instructions.slice[work]
    ) * MOST_PORTS + np.maximum(instructions.port[work], 0)
    resource = np.tile(resource, len(starts))
    start = (instructions.start_cycle[work] + starts[:, None]).ravel() % period_cycles
    end = start + np.tile(instructions.duration_cycles[work], len(starts))
    order = row_order(resource, start)
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
    """Return the initiation interval to schedule sequences at, and the period of each.

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

    Returns
    -------
    tuple[int, int]
        Cycles from one sequence to the next, and from a token of a sequence to its
        next token.
    """
    if sequences == 1:
        return 0, token_cycles
    interval = interval_within_token(
        instructions,
        sequences,
        at_least_cycles=at_least_cycles,
        token_cycles=token_cycles,
    )
    if interval is not None:
        return interval, token_cycles
    # Modulo the interval, one token stands for all: it meets each of the others. A
    # period may have room for more sequences at that interval than there are.
    interval = _first_free(instructions, range(at_least_cycles, token_cycles))
    if interval is None:
        # Sequences that are a whole token apart never meet.
        interval = max(at_least_cycles, token_cycles)
    period = interval * max(sequences, ceil_div(token_cycles, interval))
    if period > sequences * interval:
        room = token_cycles // sequences
        wider = range(max(at_least_cycles, room + 1), ceil_div(period, sequences))
        fitting = _first_free(instructions, wider)
        if fitting is not None:
            return fitting, sequences * fitting
    return interval, period


def interval_within_token(
    instructions: Instructions,
    sequences: int,
    *,
    at_least_cycles: int,
    token_cycles: int,
) -> int | None:
    """Return an initiation interval to schedule sequences at, or None.

    At that interval all sequences start within one token. Parameters are those of
    `sequence_spacing`; there are several sequences.
    """
    # From the last sequence to the first is what remains of the token.
    room = token_cycles // sequences
    return _first_free(
        instructions, range(at_least_cycles, room + 1), sequences, token_cycles
    )


def sends_on_ports(
    instructions: Instructions,
    chips: NDArray[np.integer],
    ports: NDArray[np.integer],
) -> Instructions:
    """Return the scheduled instructions that send on one of some ports.

    Receives need no check of their own: they repeat as regularly as the sends do.

    Parameters
    ----------
    instructions
        One token.
    chips, ports
        The ports, shape ``(ports,)``.
    """
    wanted = chips.astype(np.int64) * MOST_PORTS + ports
    sent = instructions.slice == Slice.C2C_OUT
    port = instructions.chip.astype(np.int64) * MOST_PORTS + instructions.port
    rows = sent & np.isin(port, wanted)
    return Instructions(
        **{
            field.name: getattr(instructions, field.name)[rows]
            for field in fields(Instructions)
        }
    )


def _first_free(
    instructions: Instructions,
    intervals: range,
    sequences: int = 1,
    period_cycles: int | None = None,
) -> int | None:
    """Return the first interval tried at which no sequences meet, None if none does.

    The step grows, so that a crowded schedule is not searched cycle by cycle.

    Parameters
    ----------
    instructions
        One token.
    intervals
        Intervals that may be tried.
    sequences, period_cycles
        Sequences that may meet, and the cycles after which everything repeats; those
        of the interval if None.
    """
    interval, steps = intervals.start, 0
    while interval in intervals:
        starts = sequence_starts(sequences, interval)
        collision = collision_cycles(instructions, starts, period_cycles or interval)
        if not collision:
            return interval
        steps += 1
        interval += max(collision, interval * steps // _FIRST_STEP)
    return None


def sequence_starts(sequences: int, interval_cycles: int) -> Ints:
    """Return the scheduled start cycle of each sequence, shape ``(sequences,)``."""
    return interval_cycles * np.arange(sequences, dtype=np.int64)
