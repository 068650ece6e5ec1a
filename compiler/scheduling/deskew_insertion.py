"""Deskew insertion: where in its idle cycles each chip executes a RUNTIME_DESKEW."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from chip.program import Deskews, Instructions, Opcode, Slice
from specs.arrays import Ints, row_order

# The first period has no past, the last is the one that recurs: between any two
# deskews that recur lies what was placed between them here.
_PERIODS_WALKED = 3


class _Rules(NamedTuple):
    """Rules for the deskews of every chip, all in cycles.

    Attributes
    ----------
    interval
        Longest time from the start of a deskew to the end of a use of a link.
    longest
        Longest time between two deskews.
    stall
        Length of a deskew.
    period
        Time after which the chip repeats itself.
    """

    interval: int
    longest: int
    stall: int
    period: int


class _Work(NamedTuple):
    """Work of a chip, sorted by start.

    Attributes
    ----------
    begin, end
        First cycle of each piece of work and the first after it.
    linked
        Whether it uses a link.
    """

    begin: Ints
    end: Ints
    linked: NDArray[np.bool_]


class _Gaps(NamedTuple):
    """Gaps of idle cycles that hold a deskew: first cycle of each and the one after."""

    begin: Ints
    end: Ints


def place_deskews(
    instructions: Instructions,
    *,
    interval_cycles: int,
    longest_cycles: int,
    stall_cycles: int,
    period_cycles: int,
    starts: Ints,
) -> Deskews | None:
    """Return the scheduled deskews of each chip in a period, None if one has no gap.

    A chip deskews in the last gap before a vector that would otherwise rely on a deskew
    more than `interval_cycles` ago, and in long gaps often enough that drift stays
    within half an epoch. A chip that uses no link need not deskew.

    Parameters
    ----------
    instructions
        One token.
    interval_cycles
        Longest time from the start of a deskew to the end of a vector that relies on
        it; 0 for no deskews at all.
    longest_cycles
        Longest time between two deskews.
    stall_cycles
        Length of a deskew.
    period_cycles
        Length of the period, after which the chips repeat themselves.
    starts
        Start of each sequence's token in the period, shape ``(sequences,)``.
    """
    turns = len(starts)
    turn_cycles = period_cycles // turns
    alike = np.array_equal(starts, turn_cycles * np.arange(turns))
    if turns > 1 and alike and turns * turn_cycles == period_cycles:
        # Sequences repeat each other, so that the turn of one stands for all.
        one = place_deskews(
            instructions,
            interval_cycles=interval_cycles,
            longest_cycles=longest_cycles,
            stall_cycles=stall_cycles,
            period_cycles=turn_cycles,
            starts=starts[:1],
        )
        if one is not None:
            return _in_every_turn(one, starts)
    chips: list[Ints] = []
    cycles: list[Ints] = []
    rules = _Rules(interval_cycles, longest_cycles, stall_cycles, period_cycles)
    if interval_cycles:
        # A mark takes no time, but it must not fall into a stall either.
        marks = instructions.opcode == Opcode.MARK
        lasting = np.flatnonzero((instructions.duration_cycles > 0) | marks)
        linked = np.isin(instructions.slice, (Slice.C2C_IN, Slice.C2C_OUT))
        edges = np.flatnonzero(np.diff(instructions.chip[lasting])) + 1
        for rows in np.split(lasting, edges):
            work = _work(instructions, rows, linked[rows], starts, rules)
            placed = _place_on_chip(work, rules)
            if placed is None:
                return None
            chip = int(instructions.chip[rows[0]])
            chips.append(np.full(len(placed), chip, dtype=np.int64))
            cycles.append(np.array(placed, dtype=np.int64))
    none = np.zeros(0, dtype=np.int64)
    return Deskews(
        chip=np.concatenate([none, *chips]).astype(np.int32),
        start_cycle=np.concatenate([none, *cycles]),
        stall_cycles=stall_cycles,
        interval_cycles=interval_cycles,
    )


def _in_every_turn(deskews: Deskews, starts: Ints) -> Deskews:
    """Return the deskews of one sequence's turn, repeated in all turns."""
    chip = np.repeat(deskews.chip, len(starts))
    cycle = (deskews.start_cycle[:, None] + starts).ravel()
    order = row_order(chip, cycle)
    return replace(deskews, chip=chip[order], start_cycle=cycle[order])


def _work(
    instructions: Instructions,
    rows: Ints,
    linked: NDArray[np.bool_],
    starts: Ints,
    rules: _Rules,
) -> _Work:
    """Return the work of a chip in several periods, of which the last has a past."""
    begin = (instructions.start_cycle[rows][None, :] + starts[:, None]).ravel()
    begin %= rules.period
    length = np.tile(instructions.duration_cycles[rows], len(starts))
    order = np.argsort(begin, kind="stable")
    begin, end = begin[order], (begin + length)[order]
    shifts = rules.period * np.arange(_PERIODS_WALKED)[:, None]
    return _Work(
        (begin + shifts).ravel(),
        (end + shifts).ravel(),
        np.tile(linked, len(starts))[np.tile(order, _PERIODS_WALKED)],
    )


def _place_on_chip(work: _Work, rules: _Rules) -> list[int] | None:
    """Return the cycles of one chip's deskews in a period, sorted, None if no gap."""
    links = np.flatnonzero(work.linked)
    if not len(links):
        return []
    done = np.maximum.accumulate(work.end)
    before_all = int(done[-1]) - _PERIODS_WALKED * rules.period
    free_from = np.concatenate([[before_all], done[:-1]])
    wide = np.flatnonzero(work.begin - free_from >= rules.stall)
    if not len(wide):
        return None
    gaps = _Gaps(free_from[wide], work.begin[wide])
    # Uses of a link without a gap before them are in the first period: the second has
    # one if any has.
    links = links[links >= wide[0]]
    # The last gap at or before each use of a link.
    which = np.searchsorted(wide, links, "right") - 1
    latest = np.maximum.accumulate(work.end[links])
    placed: list[int] = []
    use = 0
    while use < len(links):
        at = int(gaps.end[which[use]]) - rules.stall
        end = int(work.end[links[use]])
        if end - at > rules.interval or (placed and at <= placed[-1]):
            return None
        placed.append(at)
        # The next use that ends too late to rely on this deskew.
        use = int(np.searchsorted(latest, at + rules.interval, "right"))
    placed = _with_idle_deskews(placed, gaps, rules)
    if int(np.diff(placed).max(initial=0)) > rules.longest:
        return None
    # One period up to the last deskew recurs; what is before depends on the start.
    recurring = [at for at in placed if at > placed[-1] - rules.period]
    return sorted({at % rules.period for at in recurring})


def _with_idle_deskews(placed: list[int], gaps: _Gaps, rules: _Rules) -> list[int]:
    """Return deskews with others in gaps where two are further apart than allowed."""
    filled: list[int] = []
    for at in placed:
        while filled and at - filled[-1] > rules.longest:
            latest = min(filled[-1] + rules.longest, at - rules.stall)
            gap = int(np.searchsorted(gaps.begin, latest, "right")) - 1
            spot = min(latest, int(gaps.end[gap]) - rules.stall)
            if gap < 0 or spot < filled[-1] + rules.stall:
                break
            filled.append(spot)
        filled.append(at)
    return filled
