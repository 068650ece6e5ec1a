"""Message scheduler: trains for the messages of a phase, relative to its start."""

from collections import defaultdict
from dataclasses import replace
from typing import final

import numpy as np

from compiler.cost.link_timing import LinkTiming, serialisation_cycles, vectors_of
from compiler.ir.messages import Message, MessageTable
from compiler.ir.transfers import CycleBreakdown, Transport
from compiler.routing.reservation_table import ReservationTable
from specs.machine import MachineSpec
from topologies.routing.static_routes import Routes
from topologies.topology import Topology


@final
class MessageScheduler:
    """Exact transfer model: schedules each distinct phase on the links once.

    A phase starts when the one before has ended on all its chips. So a template that is
    made with empty reservation tables holds wherever the phase recurs.

    Parameters
    ----------
    topology, machine
        Links and chips.
    routes
        Paths of messages.
    timing
        Latencies of the links.
    """

    def __init__(
        self,
        topology: Topology,
        machine: MachineSpec,
        routes: Routes,
        timing: LinkTiming,
    ) -> None:
        self._topology = topology
        self._machine = machine
        self._routes = routes
        self._timing = timing
        self._latency = timing.latency_cycles.tolist()
        self._by_vectors: dict[MessageTable, Transport] = {}
        # Equal layers request the same messages many times.
        self._by_bytes: dict[MessageTable, Transport] = {}

    def transport(self, messages: MessageTable) -> Transport:
        """Return the transport of `messages`, all of them ready at cycle 0."""
        transport = self._by_bytes.get(messages)
        if transport is None:
            transport = self._by_bytes[messages] = self._template(messages)
        return transport

    def _template(self, messages: MessageTable) -> Transport:
        """Return the transport of messages, scheduled once for equal vectors."""
        # Payloads of equal vectors share a template.
        sizes, size = np.unique(messages.payload_bytes, return_inverse=True)
        counts = [vectors_of(self._machine, each) for each in sizes.tolist()]
        vectors = np.array(counts, dtype=np.int64)[size]
        key = replace(messages, payload_bytes=vectors)
        if key not in self._by_vectors:
            self._by_vectors[key] = self._scheduled(key)
        return self._by_vectors[key]

    def _scheduled(self, messages: MessageTable) -> Transport:
        """Return the transport of messages whose payloads are in vectors."""
        timing = self._timing
        tables: defaultdict[int, ReservationTable] = defaultdict(ReservationTable)
        sent = [stripe for message in messages for stripe in self._stripes(message)]
        # The longest paths first: they have the least slack.
        order = sorted(
            range(len(sent)), key=lambda i: (-len(sent[i][1]), -sent[i][0], i)
        )
        rows: list[tuple[int, int, int, int, int, int]] = []
        worst = CycleBreakdown()
        for index in order:
            vectors, path = sent[index]
            line_cycles = serialisation_cycles(self._machine, vectors)
            tail_cycles = serialisation_cycles(self._machine, vectors - 1)
            ready, previous, waited, flight = timing.send_cycles, -1, 0, 0
            for link in path:
                wire = tables[link].reserve(ready, line_cycles)
                receive = wire + self._latency[link] + timing.guard_cycles
                rows.append((link, vectors, wire, receive, previous, line_cycles))
                previous = len(rows) - 1
                waited += wire - ready
                flight += self._latency[link] - timing.fec_cycles
                ready = receive + timing.pass_cycles
            hops = len(path)
            spent = CycleBreakdown(
                link=timing.send_cycles
                + flight
                + (hops - 1) * timing.pass_cycles
                + tail_cycles
                + timing.receive_cycles,
                guard=hops * timing.guard_cycles,
                fec=hops * timing.fec_cycles,
                wait=waited,
            )
            worst = max(worst, spent, key=lambda span: span.total)
        columns = np.array(rows, dtype=np.int64).reshape(-1, 6).T
        return Transport(
            link=columns[0],
            vectors=columns[1],
            wire_cycle=columns[2],
            receive_cycle=columns[3],
            previous=columns[4],
            serialisation_cycles=columns[5],
            spent=worst,
            hops=max((len(path) for _, path in sent), default=0),
        )

    def _stripes(self, message: Message) -> list[tuple[int, tuple[int, ...]]]:
        """Return vectors and path of each stripe; the payload is in vectors here."""
        vectors = message.payload_bytes
        most = min(vectors, self._machine.link.stripe_cables)
        lanes = self._routes.lanes(message.source, message.target, most)
        count = len(lanes)
        return [
            ((lane + 1) * vectors // count - lane * vectors // count, path)
            for lane, path in enumerate(lanes)
        ]
