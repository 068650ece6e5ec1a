"""Bulk reservation: links reserved for many messages at once, in arrays.

A message requests its next link as soon as it can leave a chip, and each link serves
requests in their order. All requests within the least time of a hop are known in
advance. So the schedule is made window by window, for all links of a window together.
"""

import numpy as np
from numpy.typing import NDArray

from compiler.cost.link_timing import LinkTiming, serialisation_cycles
from compiler.ir.transfers import CycleBreakdown, Transport
from specs.arrays import Ints
from specs.machine import MachineSpec

# Offset between the links of a window in one running maximum: longer than a schedule.
_APART = 2**40


def reserve(
    machine: MachineSpec,
    timing: LinkTiming,
    paths: NDArray[np.int32],
    vectors: Ints,
) -> Transport:
    """Reserve the links on the routes of messages that are all ready at cycle 0.

    Parameters
    ----------
    machine, timing
        Rates and latencies of the links.
    paths
        Directed links of each message in order, -1 after the last, shape
        ``(messages, longest path)``; no path is empty.
    vectors
        Vectors of each message, shape ``(messages,)``.

    Returns
    -------
    Transport
        A train for each hop, message by message.
    """
    hops = (paths >= 0).sum(axis=1)
    sizes, size = np.unique(vectors, return_inverse=True)
    durations = np.array(
        [
            (serialisation_cycles(machine, n), serialisation_cycles(machine, n - 1))
            for n in sizes.tolist()
        ],
        dtype=np.int64,
    ).reshape(-1, 2)
    line, tail = durations[size].T
    wire = _wire_cycles(timing, paths, hops, line)
    latency = timing.latency_cycles[paths]
    receive = wire + latency + timing.guard_cycles
    used = paths >= 0
    number = np.cumsum(used.ravel()).reshape(used.shape) - 1
    previous = np.where(np.arange(paths.shape[1]) > 0, number - 1, -1)
    last = receive[np.arange(len(hops)), hops - 1] + tail + timing.receive_cycles
    return Transport(
        link=paths[used].astype(np.int64),
        vectors=np.repeat(vectors, hops),
        wire_cycle=wire[used],
        receive_cycle=receive[used],
        previous=previous[used],
        serialisation_cycles=np.repeat(line, hops),
        spent=_spent(timing, latency, hops, tail, last),
        hops=int(hops.max()),
    )


def _wire_cycles(
    timing: LinkTiming, paths: NDArray[np.int32], hops: Ints, line: Ints
) -> Ints:
    """Return the cycle at which each message enters each link, shape of `paths`."""
    fixed = timing.guard_cycles + timing.pass_cycles
    window = int(timing.latency_cycles[paths[paths >= 0]].min()) + fixed
    wire = np.zeros(paths.shape, dtype=np.int64)
    free = np.zeros(len(timing.latency_cycles), dtype=np.int64)
    ready = np.full(len(paths), timing.send_cycles, dtype=np.int64)
    hop = np.zeros(len(paths), dtype=np.int64)
    waiting = np.arange(len(paths))
    while len(waiting):
        horizon = int(ready[waiting].min()) + window
        known = ready[waiting] < horizon
        rows = waiting[known]
        link = paths[rows, hop[rows]].astype(np.int64)
        # Of simultaneous requests the one with the longest remaining path is served
        # first: it has the least slack.
        order = np.lexsort((rows, hop[rows] - hops[rows], ready[rows], link))
        rows, link = rows[order], link[order]
        start = _starts(link, ready[rows], line[rows], free)
        wire[rows, hop[rows]] = start
        last = np.flatnonzero(np.diff(link, append=-1))
        free[link[last]] = start[last] + line[rows[last]]
        ready[rows] = start + timing.latency_cycles[link] + fixed
        hop[rows] += 1
        waiting = np.concatenate([waiting[~known], rows[hop[rows] < hops[rows]]])
    return wire


def _starts(link: Ints, ready: Ints, line: Ints, free: Ints) -> Ints:
    """Return the cycle at which each request is served, in order on each link.

    A request starts when it is ready and the one before it has ended: ``start[i] =
    max(ready[i], start[i-1] + line[i-1])``. After subtracting the time of all requests
    before it, that is a running maximum.
    """
    before = np.cumsum(line) - line
    place = np.cumsum(np.diff(link, prepend=link[:1]) != 0)
    floor = np.maximum(ready, free[link]) - before + place * _APART
    start: Ints = np.maximum.accumulate(floor) - place * _APART + before
    return start


def _spent(
    timing: LinkTiming, latency: Ints, hops: Ints, tail: Ints, last: Ints
) -> CycleBreakdown:
    """Return the cycle breakdown of the message that arrives last."""
    row = int(last.argmax())
    count = int(hops[row])
    flight = int(latency[row, :count].sum()) - count * timing.fec_cycles
    link = (
        timing.send_cycles
        + flight
        + (count - 1) * timing.pass_cycles
        + int(tail[row])
        + timing.receive_cycles
    )
    guard, fec = count * timing.guard_cycles, count * timing.fec_cycles
    return CycleBreakdown(
        link=link, guard=guard, fec=fec, wait=int(last[row]) - link - guard - fec
    )
