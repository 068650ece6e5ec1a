"""Message scheduler: trains for the messages of a phase, relative to its start."""

from dataclasses import replace
from typing import final

import numpy as np

from compiler.cost.link_timing import LinkTiming, vectors_of
from compiler.ir.messages import MessageTable
from compiler.ir.transfers import Transport, trainless
from compiler.routing.bulk_reservation import reserve
from compiler.routing.striping import striped
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
        self._works = routes.outage.works(topology)
        self._machine = machine
        self._routes = routes
        self._timing = timing
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
        """Return the transport of messages whose payloads are in vectors.

        Messages are striped over parallel cables unless their paths are given.
        """
        if not len(messages):
            return trainless(0)
        vectors = messages.payload_bytes
        path = messages.path
        if path is None:
            minimal = self._routes.paths(messages.source, messages.target)
            if self._machine.link.stripe_cables == 1:
                return reserve(self._machine, self._timing, minimal, vectors)
            sent = striped(self._routes.lanes, self._machine, minimal, vectors)
            striped_over = reserve(self._machine, self._timing, sent.path, sent.vectors)
            message = sent.message[striped_over.message]
            return replace(striped_over, message=message)
        # Messages whose path is cut take the minimal one.
        whole = np.all(self._works[path] | (path < 0), axis=1, keepdims=True)
        working = replace(messages, path=np.where(whole, path, -1))
        paths = working.paths(self._routes.paths)
        return reserve(self._machine, self._timing, paths.astype(np.int32), vectors)
