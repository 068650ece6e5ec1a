"""Bulk reservation: links reserved for many messages at once, in arrays.

A message requests its next link as soon as it can leave a chip. Of the requests that
wait, a link serves the one with the most time still ahead. All requests within the
least time of a hop are known in advance. So the schedule is made window by window, for
all links of a window together.
"""

import numpy as np
from numpy.typing import NDArray

from compiler.cost.link_timing import LinkTiming, serialisation_cycles
from compiler.ir.transfers import CycleBreakdown, Transport
from specs.arrays import Ints
from specs.machine import MachineSpec


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
        message=np.repeat(np.arange(len(hops)), hops),
        serialisation_cycles=np.repeat(line, hops),
        spent=_spent(timing, latency, hops, tail, last),
        hops=int(hops.max()),
    )


def _wire_cycles(
    timing: LinkTiming, paths: NDArray[np.int32], hops: Ints, line: Ints
) -> Ints:
    """Return the cycle at which each message enters each link, shape of `paths`."""
    fixed = timing.guard_cycles + timing.pass_cycles
    hop_cycles = np.where(paths >= 0, timing.latency_cycles[paths] + fixed, 0)
    used = paths[paths >= 0]
    if int(np.bincount(used).max()) == 1:
        # Nobody waits.
        begun: Ints = np.cumsum(hop_cycles, axis=1) - hop_cycles
        return timing.send_cycles + begun
    window = int(timing.latency_cycles[used].min()) + fixed
    # From the start on a link until the last vector has crossed the last one.
    rest = np.cumsum(hop_cycles[:, ::-1], axis=1)[:, ::-1] + line[:, None]
    # The first of a link has the most rest, then the lowest row.
    turn = np.empty_like(rest)
    turn.ravel()[np.argsort(-rest, axis=None, kind="stable")] = np.arange(rest.size)
    wire = np.zeros(paths.shape, dtype=np.int64)
    free = np.zeros(len(timing.latency_cycles), dtype=np.int64)
    ready = np.full(len(paths), timing.send_cycles, dtype=np.int64)
    hop = np.zeros(len(paths), dtype=np.int64)
    waiting = np.arange(len(paths))
    most = window // int(line.min(initial=window)) + 1
    while len(waiting):
        link = paths[waiting, hop[waiting]].astype(np.int64)
        start = int(np.maximum(ready[waiting], free[link]).min())
        known = np.maximum(ready[waiting], free[link]) < start + window
        rows, link = waiting[known], link[known]
        order = np.argsort(link * paths.size + turn[rows, hop[rows]])
        rows, link = rows[order], link[order]
        # No link serves more in a window; of those that wait the first are enough.
        early = ready[rows] <= start
        first = np.flatnonzero(np.diff(link, prepend=-1))
        before: Ints = np.cumsum(early) - early
        before -= np.repeat(before[first], np.diff(first, append=len(link)))
        kept = ~early | (before < most)
        rows, link = rows[kept], link[kept]
        served, begun = _served(
            rows, link, ready[rows], line, free, horizon=start + window
        )
        wire[served, hop[served]] = begun
        sent = paths[served, hop[served]]
        ready[served] = begun + timing.latency_cycles[sent] + fixed
        hop[served] += 1
        waiting = waiting[hop[waiting] < hops[waiting]]
    return wire


def _served(
    rows: Ints, link: Ints, ready: Ints, line: Ints, free: Ints, *, horizon: int
) -> tuple[Ints, Ints]:
    """Serve the requests that start before the horizon; return their rows and starts.

    Requests are in the order of links, and on a link in their turn. A link that becomes
    free serves the first that is ready; if none is, the next that will be.
    """
    served: list[Ints] = []
    begun: list[Ints] = []
    while len(rows):
        first = np.flatnonzero(np.diff(link, prepend=-1))
        count = np.diff(first, append=len(link))
        start = np.maximum(np.minimum.reduceat(ready, first), free[link[first]])
        number = np.arange(len(rows))
        number[ready > np.repeat(start, count)] = len(rows)
        goes = start < horizon
        chosen = np.minimum.reduceat(number, first)[goes]
        start = start[goes]
        free[link[chosen]] = start + line[rows[chosen]]
        served.append(rows[chosen])
        begun.append(start)
        left = np.repeat(goes, count)
        left[chosen] = False
        rows, link, ready = rows[left], link[left], ready[left]
    return np.concatenate(served), np.concatenate(begun)


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
