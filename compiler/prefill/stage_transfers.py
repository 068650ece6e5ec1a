"""Stage transfers: what a stage passes on, spread over the cables to the next stage.

Minimal paths may send all messages of a stage over one cable. A chunk's messages are
long enough to spread: each is cut into parts, which take any cable from a chip of the
stage to a chip of the next, or two cables in a row with one chip between them.
"""

from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple, final

import numpy as np

from compiler.cost.link_timing import LinkTiming
from compiler.ir.transfers import CycleBreakdown, Transport
from compiler.prefill.link_spans import LinkSpans, LinkUse
from specs.machine import MachineSpec
from topologies.topology import Topology

# Into how many parts messages are cut, of which the fastest is taken.
_PARTS = (1, 2, 4)


class TransferPart(NamedTuple):
    """Part of a message: its row, its links in order and its vectors."""

    message: int
    links: tuple[int, ...]
    vectors: int


class PlacedTransfer(NamedTuple):
    """Transfer of which each train has waited for its links.

    Attributes
    ----------
    transport
        Its trains, in cycles from the start.
    uses
        What it uses of links, in cycles from the start.
    """

    transport: Transport
    uses: list[LinkUse]


@final
class TransferRouter:
    """Router of stage transfers on the links of a machine.

    Parameters
    ----------
    topology, machine, timing
        The links, and how long they take.
    """

    def __init__(
        self, topology: Topology, machine: MachineSpec, timing: LinkTiming
    ) -> None:
        self._topology = topology
        self._line = machine.line
        self._timing = timing
        self._known: dict[tuple[bytes, ...], list[TransferPart]] = {}

    def parts(self, minimal: Transport) -> list[TransferPart]:
        """Return the parts in which messages arrive soonest on links without others.

        Parameters
        ----------
        minimal
            The transfer on minimal paths, which is taken if nothing is faster.
        """
        columns = (minimal.link, minimal.vectors, minimal.message, minimal.previous)
        key = tuple(column.tobytes() for column in columns)
        if key not in self._known:
            self._known[key] = self._fastest(parts_of(minimal))
        return self._known[key]

    def _fastest(self, minimal: list[TransferPart]) -> list[TransferPart]:
        """Return the fastest of the minimal paths and the ways to spread them."""
        candidates = [minimal]
        candidates += [self._spread(minimal, pieces) for pieces in _PARTS]
        return min(
            candidates,
            key=lambda parts: (
                self.placed(parts, LinkSpans(), 0).transport.duration_cycles
            ),
        )

    def _spread(self, minimal: list[TransferPart], pieces: int) -> list[TransferPart]:
        """Return messages cut into pieces, each on the links that are free soonest."""
        total: defaultdict[int, int] = defaultdict(int)
        ends: dict[int, tuple[int, int]] = {}
        for part in minimal:
            total[part.message] += part.vectors
            ends[part.message] = (
                int(self._topology.source[part.links[0]]),
                int(self._topology.target[part.links[-1]]),
            )
        cables = list(self._cables(ends))
        paths = {
            message: [part.links for part in minimal if part.message == message]
            + list(self._joined(*ends[message], cables))
            for message in total
        }
        busy: defaultdict[int, int] = defaultdict(int)
        spread: defaultdict[tuple[int, tuple[int, ...]], int] = defaultdict(int)
        for piece in range(pieces):
            for message, whole in total.items():
                vectors = (piece + 1) * whole // pieces - piece * whole // pieces
                if not vectors:
                    continue
                best = min(
                    paths[message],
                    key=lambda links: (
                        max(busy[link] for link in links) + self._fixed_cycles(links)
                    ),
                )
                for link in best:
                    busy[link] += self._line.offset_cycles(vectors)
                spread[message, best] += vectors
        return [
            TransferPart(message, links, vectors)
            for (message, links), vectors in sorted(spread.items())
        ]

    def _cables(self, ends: dict[int, tuple[int, int]]) -> Iterator[tuple[int, ...]]:
        """Yield the links from sources to targets, and pairs of links over one chip."""
        topology = self._topology
        sources = {source for source, _ in ends.values()}
        targets = {target for _, target in ends.values()}
        for source in sorted(sources):
            for link in topology.out_links(source):
                via = int(topology.target[link])
                if via in targets:
                    yield (int(link),)
                elif via not in sources:
                    for onward in topology.out_links(via):
                        if int(topology.target[onward]) in targets:
                            yield int(link), int(onward)

    def _joined(
        self, source: int, target: int, cables: list[tuple[int, ...]]
    ) -> Iterator[tuple[int, ...]]:
        """Yield paths over cables, with a link to each and from each if needed."""
        topology = self._topology
        for cable in cables:
            begin, end = int(topology.source[cable[0]]), int(topology.target[cable[-1]])
            before = () if begin == source else self._link(source, begin)
            after = () if end == target else self._link(end, target)
            if before is not None and after is not None:
                yield (*before, *cable, *after)

    def _link(self, source: int, target: int) -> tuple[int] | None:
        """Return the first link between two chips, None if there is none."""
        for link in self._topology.out_links(source):
            if int(self._topology.target[link]) == target:
                return (link,)
        return None

    def _fixed_cycles(self, links: tuple[int, ...]) -> int:
        """Return the latency of a path without the vectors behind the first."""
        timing = self._timing
        flight = int(timing.latency_cycles[list(links)].sum())
        return flight + len(links) * (timing.guard_cycles + timing.pass_cycles)

    def placed(
        self, parts: list[TransferPart], spans: LinkSpans, at: int
    ) -> PlacedTransfer:
        """Return the transfer from a cycle on, and reserve its links.

        Each train takes the first free cycles of its next link.

        Parameters
        ----------
        parts
            Parts of the messages.
        spans
            What is reserved of the links so far.
        at
            Start of the transfer.
        """
        line_rate, timing = self._line, self._timing
        rows: list[tuple[int, int, int, int, int, int, int]] = []
        uses: list[LinkUse] = []
        lasts: list[tuple[int, int, int]] = []
        for part in parts:
            line = line_rate.offset_cycles(part.vectors)
            ready, previous, receive = at + timing.send_cycles, -1, 0
            for link in part.links:
                wire = spans.reserve(link, ready, line)
                uses.append(LinkUse(link, wire - at, wire - at + line))
                receive = wire + int(timing.latency_cycles[link]) + timing.guard_cycles
                rows.append(
                    (
                        link,
                        part.vectors,
                        wire - at,
                        receive - at,
                        previous,
                        part.message,
                        line,
                    )
                )
                previous = len(rows) - 1
                ready = receive + timing.pass_cycles
            tail = line_rate.offset_cycles(part.vectors - 1)
            lasts.append(
                (receive - at + tail + timing.receive_cycles, tail, len(part.links))
            )
        table = np.array(rows, dtype=np.int64).T
        end, tail, hops = max(lasts)
        guard, fec = hops * timing.guard_cycles, hops * timing.fec_cycles
        return PlacedTransfer(
            Transport(
                link=table[0],
                vectors=table[1],
                wire_cycle=table[2],
                receive_cycle=table[3],
                previous=table[4],
                message=table[5],
                serialisation_cycles=table[6],
                spent=CycleBreakdown(link=end - guard - fec, guard=guard, fec=fec),
                hops=max(count for _, _, count in lasts),
            ),
            uses,
        )


def parts_of(transport: Transport) -> list[TransferPart]:
    """Return the parts of messages in a transfer, each with all its links."""
    following: dict[int, int] = {
        before: row
        for row, before in enumerate(transport.previous.tolist())
        if before >= 0
    }
    parts = []
    for first in np.flatnonzero(transport.previous < 0).tolist():
        rows = [first]
        while rows[-1] in following:
            rows.append(following[rows[-1]])
        parts.append(
            TransferPart(
                int(transport.message[first]),
                tuple(transport.link[rows].tolist()),
                int(transport.vectors[first]),
            )
        )
    return parts
