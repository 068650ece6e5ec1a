"""Timeline of a token as a table: what its chips do, and which cycles it waits for."""

import numpy as np
import pandas as pd

from compiler.ir.timeline import ComputeEntry, TimelineEntry
from experiments.run.scenario import Run
from experiments.tables.columns import COLUMNS
from specs.arrays import Ints

EXCHANGE = "exchange"


def timeline_table(run: Run) -> pd.DataFrame:
    """Return the table of a token's timeline: a row for each operator and phase.

    A cycle that several rows share counts once: for a computation if there is one, else
    for the exchange that began first. So the `path_cycles` of a replica's token add up
    to its length less the stalls of deskews and waits.
    """
    place = _places(run)
    entries = run.schedule.timeline.entries
    first = [_first_chip(entry) for entry in entries]
    computes = np.array([isinstance(entry, ComputeEntry) for entry in entries])
    start = np.array([entry.start_cycle for entry in entries], dtype=np.int64)
    cycles = np.array([_cycles(entry) for entry in entries], dtype=np.int64)
    replica = place[0][first].astype(np.int64)
    hidden, path = np.zeros_like(cycles), np.zeros_like(cycles)
    for each in np.unique(replica):
        rows = np.flatnonzero(replica == each)
        shares = _shares(start[rows], start[rows] + cycles[rows], computes[rows])
        hidden[rows], path[rows] = shares
    table = pd.DataFrame(
        {
            "entry": np.arange(len(entries)),
            "replica": replica,
            "stage": place[1][first],
            "kind": [
                entry.unit.value if isinstance(entry, ComputeEntry) else EXCHANGE
                for entry in entries
            ],
            "name": [entry.name for entry in entries],
            "first_chip": first,
            "start_cycle": start,
            "duration_cycles": cycles,
            "hidden_cycles": hidden,
            "path_cycles": path,
        }
    )
    return table[list(COLUMNS["timeline"])]


def _places(run: Run) -> Ints:
    """Return the replica and the stage of each chip in the table, -1 for neither."""
    places = np.full((2, run.prepared.topology.chips), -1, dtype=np.int64)
    for stage in run.prepared.plan.stages:
        places[:, stage.chips] = [[stage.replica], [stage.index]]
    return places


def _first_chip(entry: TimelineEntry) -> int:
    """Return the chip by which a table tells whose entry it is."""
    if isinstance(entry, ComputeEntry):
        return int(entry.chips[0])
    return -1 if entry.messages is None else int(entry.messages.source[0])


def _cycles(entry: TimelineEntry) -> int:
    """Return how long an entry of the table takes: until its last chip is done."""
    if isinstance(entry, ComputeEntry):
        return int(entry.cycles.max())
    return entry.transport.duration_cycles


def _shares(start: Ints, end: Ints, computes: np.ndarray) -> tuple[Ints, Ints]:
    """Return the hidden cycles of each entry of a table, and those that count for it.

    Parameters
    ----------
    start, end
        Cycles of each entry, shape ``(entries,)``.
    computes
        Whether it is a computation.
    """
    hidden, path = np.zeros_like(start), np.zeros_like(start)
    busy: list[tuple[int, int]] = []
    for row in np.flatnonzero(computes)[np.argsort(start[computes], kind="stable")]:
        begin = max(int(start[row]), busy[-1][1] if busy else 0)
        path[row] = max(0, end[row] - begin)
        if path[row]:
            busy.append((begin, int(end[row])))
    begins, ends = np.array(busy, dtype=np.int64).reshape(-1, 2).T
    before = np.concatenate([[0], np.cumsum(ends - begins)])

    def computing(cycle: int) -> int:
        """Return the cycles before `cycle` in which the chips compute."""
        past = int(np.searchsorted(begins, cycle, "right"))
        over = max(0, int(ends[past - 1]) - cycle) if past else 0
        return int(before[past]) - over

    reached = 0
    for row in np.flatnonzero(~computes)[np.argsort(start[~computes], kind="stable")]:
        begin, last = int(start[row]), int(end[row])
        hidden[row] = computing(last) - computing(begin)
        begin = min(max(begin, reached), last)
        path[row] = last - begin - (computing(last) - computing(begin))
        reached = max(reached, last)
    return hidden, path
