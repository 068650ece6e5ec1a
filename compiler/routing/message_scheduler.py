"""Message scheduler: trains for the messages of a phase, relative to its start."""

from dataclasses import replace
from typing import final

import numpy as np
from numpy.typing import NDArray

from compiler.cost.link_timing import LinkTiming, vectors_of
from compiler.ir.messages import MessageTable
from compiler.ir.transfers import Transport, trainless
from compiler.routing.bulk_reservation import reserve
from compiler.routing.striping import striped
from specs.arrays import Ints
from specs.machine import MachineSpec
from topologies.routing.minimal_paths import NO_LINK
from topologies.routing.static_routes import Routes
from topologies.topology import Topology

# Of more messages it takes as long to see that phases are alike as it saves.
_MOST_ALIKE = 4096


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
        self._alike: dict[tuple[object, ...], Transport] = {}

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
                return self._reserved(minimal, vectors)
            sent = striped(self._routes.lanes, self._machine, minimal, vectors)
            striped_over = self._reserved(sent.path, sent.vectors)
            message = sent.message[striped_over.message]
            return replace(striped_over, message=message)
        # Messages whose path is cut take the minimal one.
        whole = np.all(self._works[path] | (path < 0), axis=1, keepdims=True)
        working = replace(messages, path=np.where(whole, path, -1))
        paths = working.paths(self._routes.paths)
        return self._reserved(paths.astype(np.int32), vectors)

    def _reserved(self, paths: NDArray[np.int32], vectors: Ints) -> Transport:
        """Return the transport of messages on given paths.

        Phases that differ in nothing but the numbers of their links, such as those of
        equal stages, are reserved once: links are numbered as they first occur.
        """
        if len(paths) > _MOST_ALIKE:
            return reserve(self._machine, self._timing, paths, vectors)
        links, first, place = np.unique(
            paths.ravel(), return_index=True, return_inverse=True
        )
        order = np.argsort(first)
        used = links[order]
        if links[0] < 0:
            # Behind the last, so that it stays the last of the latencies too.
            used = np.append(used[used >= 0], NO_LINK)
        number = np.empty(len(links), dtype=np.int32)
        number[np.searchsorted(links, used)] = np.arange(len(used))
        alike = np.where(paths < 0, NO_LINK, number[place].reshape(paths.shape))
        latency_cycles = self._timing.latency_cycles[used]
        key = alike.tobytes(), paths.shape, latency_cycles.tobytes(), vectors.tobytes()
        if key not in self._alike:
            timing = replace(self._timing, latency_cycles=latency_cycles)
            self._alike[key] = reserve(
                self._machine, timing, alike.astype(np.int32), vectors
            )
        transport = self._alike[key]
        return replace(transport, link=used[transport.link].astype(np.int64))
