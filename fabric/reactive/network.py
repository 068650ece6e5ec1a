"""Reactive baseline model: the same topology with routing decisions at run time.

Every chip is an input-queued router. Packets of one vector follow minimal routes. Each
port arbitrates its wire by round robin, and sends only with a credit of the next
buffer. Receive buffers have virtual output queues, so that no packet waits behind one
with another output. They have one virtual channel for each link of the longest route.
Packets in channel h wait only for channel h + 1, and those in the last channel for
none, so there is no deadlock (Guenther, "Prevention of Deadlocks in Packet-Switched
Data Transport Systems", IEEE Trans. Commun. 29, 1981).
"""

from dataclasses import dataclass
from typing import final

import numpy as np
import simpy
from numpy.typing import NDArray
from simpy.events import Event, ProcessGenerator, Timeout

from fabric.reactive.deadlock import deadlock
from fabric.reactive.output_port import OutputPort
from fabric.reactive.router_spec import ReactiveSpec
from fabric.reactive.traffic import Journeys
from specs.arrays import Ints
from specs.errors import SpecError

NOT_SENT = -1


@final
@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class ReactiveResult:
    """Times of packets and messages in the baseline model.

    Parameters
    ----------
    wire_ps
        Time each packet entered each link, in the rows of the journeys.
    delivered_ps
        Time the last packet of each message was in SRAM, shape ``(messages,)``.
    latency_ps
        Time from when the message was ready until then.
    """

    wire_ps: Ints
    delivered_ps: Ints
    latency_ps: Ints


def simulate_reactive(
    spec: ReactiveSpec, journeys: Journeys, *, latency_ps: Ints, credit_ps: Ints
) -> ReactiveResult:
    """Return the times at which the reactive network carries the packets of `journeys`.

    Parameters
    ----------
    spec
        Routers.
    journeys
        Packets and their routes.
    latency_ps
        Latency of each row's link, first bit on the wire to decoded in the buffer.
    credit_ps
        Latency of a credit back over each directed link, shape ``(directed links,)``.

    Raises
    ------
    SpecError
        If packets block each other permanently; the message names them.
    """
    sent = _Network(spec, journeys, latency_ps=latency_ps, credit_ps=credit_ps).run()
    wire_ps = np.array(sent, dtype=np.int64)
    ready_ps = journeys.messages.ready_ps
    # The time of a packet to its own chip; those of others are overwritten.
    packet_ps = ready_ps[journeys.message] + spec.unloaded_ps(np.zeros(0, np.int64))
    received_ps = wire_ps + latency_ps + spec.receive_ps
    packet_ps[journeys.hops > 0] = received_ps[journeys.is_last]
    delivered_ps = np.zeros(len(journeys.messages), dtype=np.int64)
    np.maximum.at(delivered_ps, journeys.message, packet_ps)
    return ReactiveResult(
        wire_ps=wire_ps, delivered_ps=delivered_ps, latency_ps=delivered_ps - ready_ps
    )


@final
class _Network:
    """Network of all output ports, with the packets between them.

    A packet in flight is the number of its row, a plain integer. The columns are lists,
    whose elements are read in a tenth of the time of an array's.
    """

    def __init__(
        self,
        spec: ReactiveSpec,
        journeys: Journeys,
        *,
        latency_ps: Ints,
        credit_ps: Ints,
    ) -> None:
        self._env = env = simpy.Environment()
        self._spec = spec
        self._journeys = journeys
        channels = spec.virtual_channels or max(1, journeys.most_hops)
        channel = np.minimum(journeys.hop, channels - 1)
        self._link: list[int] = journeys.link.tolist()
        self._channel: list[int] = channel.tolist()
        self._is_first: list[bool] = (journeys.hop == 0).tolist()
        self._is_last: list[bool] = journeys.is_last.tolist()
        self._latency_ps: list[int] = latency_ps.tolist()
        self.wire_ps = [NOT_SENT] * len(self._link)
        requester = _requesters(journeys, channel, channels).tolist()
        self._ports = {
            link: OutputPort(
                env,
                vector_ps=spec.vector_ps,
                credit_ps=int(credit_ps[link]),
                places=spec.buffer_vectors,
                channels=channels,
                requester=requester,
                channel=self._channel,
                send=self._send,
            )
            for link in np.unique(journeys.link).tolist()
        }

    def run(self) -> list[int]:
        """Return the time each packet entered each link of its route."""
        self._env.process(self._inject())
        self._env.run()
        assert isinstance(self._env.now, int)
        if NOT_SENT in self.wire_ps:
            raise SpecError(
                deadlock(
                    {link: port.blocked for link, port in self._ports.items()},
                    self._journeys,
                    self._channel,
                )
            )
        return self.wire_ps

    def _inject(self) -> ProcessGenerator:
        """Request the first wire for each packet when its message is ready."""
        journeys = self._journeys
        moving = np.flatnonzero(journeys.hops)
        ready_ps = journeys.messages.ready_ps[journeys.message[moving]]
        order = np.argsort(ready_ps, kind="stable")
        at_ps = (ready_ps[order] + self._spec.send_ps).tolist()
        rows = journeys.first_row[moving][order].tolist()
        for instant_ps, row in zip(at_ps, rows, strict=True):
            if instant_ps > self._env.now:
                yield self._env.timeout(instant_ps - int(self._env.now))
            self._ports[self._link[row]].request(row)

    def _send(self, row: int) -> int:
        """Put a packet on the wire now; return when its buffer is free, if known."""
        env = self._env
        self.wire_ps[row] = now = int(env.now)
        if not self._is_first[row]:
            self._ports[self._link[row - 1]].free(self._channel[row - 1])
        latency_ps = self._latency_ps[row]
        if self._is_last[row]:
            # Every port has its own path to SRAM, without contention.
            return now + latency_ps
        event = Timeout(env, latency_ps + self._spec.pass_ps, row + 1)
        event.callbacks.append(self._ready)
        return NOT_SENT

    def _ready(self, event: Event) -> None:
        """Request the next wire of a packet."""
        row: int = event.value  # type: ignore[assignment]
        self._ports[self._link[row]].request(row)


def _requesters(
    journeys: Journeys, channel: NDArray[np.int64], channels: int
) -> NDArray[np.int64]:
    """Return the requester of each reactive row's wire: 0 for the chip, or a channel.

    Each channel of each link has its own number.
    """
    came_by = 1 + journeys.link * channels + channel
    before = np.concatenate([np.zeros(1, np.int64), came_by[:-1]])[: len(came_by)]
    return np.where(journeys.hop == 0, 0, before)
