"""Putting the messages of a phase on the links, relative to the phase's start."""

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
    """Schedules phases on a machine's links, each distinct phase once.

    A phase starts when the one before has ended on all its chips, so a template made
    with empty calendars may be used wherever the phase recurs.
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
        self._known: dict[MessageTable, Transport] = {}
        # Layers alike ask for the very same messages again and again.
        self._asked: dict[MessageTable, Transport] = {}

    def transport(self, messages: MessageTable) -> Transport:
        """Return the trains that carry `messages`, all of them ready at cycle 0."""
        found = self._asked.get(messages)
        if found is None:
            found = self._asked[messages] = self._template(messages)
        return found

    def _template(self, messages: MessageTable) -> Transport:
        # What counts is vectors, so that payloads a few bytes apart share a template.
        sizes, size = np.unique(messages.payload_bytes, return_inverse=True)
        counts = [vectors_of(self._machine, each) for each in sizes.tolist()]
        vectors = np.array(counts, dtype=np.int64)[size]
        key = replace(messages, payload_bytes=vectors)
        if key not in self._known:
            self._known[key] = self._scheduled(key)
        return self._known[key]

    def _scheduled(self, messages: MessageTable) -> Transport:
        timing = self._timing
        calendars: defaultdict[int, ReservationTable] = defaultdict(ReservationTable)
        sent = [stripe for message in messages for stripe in self._stripes(message)]
        # The longest ways first: they have the least slack.
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
                wire = calendars[link].reserve(ready, line_cycles)
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
        """Return the vectors that go each way; a payload is in vectors here."""
        vectors = message.payload_bytes
        most = min(vectors, self._machine.link.stripe_cables)
        lanes = self._routes.lanes(message.source, message.target, most)
        count = len(lanes)
        return [
            ((lane + 1) * vectors // count - lane * vectors // count, path)
            for lane, path in enumerate(lanes)
        ]
