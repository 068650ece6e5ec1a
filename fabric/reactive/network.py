"""The reactive twin: the same wiring as a network that decides at run time.

Every chip is an input-queued router. Packets of one vector follow minimal routes; each
port takes turns between those who want its wire, and sends only where a credit says
there is a place. Receive buffers have virtual output queues, so that no packet waits
behind one that goes elsewhere, and one virtual channel for each link of the longest
way: the packets that wait in channel h only ever wait for channel h + 1, and nothing
for the last one, so there is no deadlock (Guenther, "Prevention of Deadlocks in
Packet-Switched Data Transport Systems", IEEE Trans. Commun. 29, 1981).
"""

from dataclasses import dataclass
from typing import Self, final

import numpy as np
import simpy
from numpy.typing import NDArray
from simpy.events import Event, ProcessGenerator, Timeout

from fabric.reactive.deadlock import deadlock
from fabric.reactive.output_port import OutputPort
from fabric.reactive.traffic import Journeys
from specs.arrays import Ints
from specs.errors import SpecError
from specs.machine import MachineSpec
from specs.units import BITS_PER_BYTE, PS_PER_NS

NOT_SENT = -1


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ReactiveSpec:
    """What a router of the twin takes, and how much it holds.

    Parameters
    ----------
    vector_ps
        Time of a packet on the wire.
    send_ps, pass_ps, receive_ps
        SRAM to wire; receive buffer to the next wire; receive buffer to SRAM. Each as
        long as nothing is in the way.
    buffer_vectors
        Places in each virtual channel of a receive buffer.
    virtual_channels
        Channels of each buffer; None for as many as the longest way has links. A packet
        that has more links behind it than there are channels keeps to the last, and a
        deadlock is possible.

    Raises
    ------
    SpecError
        If a buffer, a channel or a wire is missing.
    """

    vector_ps: int
    send_ps: int
    pass_ps: int
    receive_ps: int
    buffer_vectors: int
    virtual_channels: int | None = None

    def __post_init__(self) -> None:
        for name in ("vector_ps", "buffer_vectors", "virtual_channels"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise SpecError(f"{name} {value} must be 1 or more")
        for name in ("send_ps", "pass_ps", "receive_ps"):
            if getattr(self, name) < 0:
                raise SpecError(f"{name} {getattr(self, name)} must not be negative")
        if self.send_ps + self.receive_ps < self.pass_ps:
            raise SpecError(
                f"pass_ps {self.pass_ps} is above send_ps + receive_ps, "
                f"{self.send_ps + self.receive_ps}: a packet to its own chip would "
                f"be there before it left"
            )

    @classmethod
    def of_machine(
        cls, machine: MachineSpec, *, buffer_vectors: int | None = None
    ) -> Self:
        """Return the twin of a scheduled machine, with the same times.

        Parameters
        ----------
        machine
            Chips and links.
        buffer_vectors
            Places in each virtual channel; those of the receive FIFO if None.
        """
        link, chip = machine.link, machine.chip
        pass_cycles = link.forward_cycles - link.mean_latency_cycles
        if buffer_vectors is None:
            buffer_vectors = link.fifo_vectors
        return cls(
            vector_ps=link.wire_bytes * BITS_PER_BYTE * PS_PER_NS // link.rate_gbps,
            send_ps=machine.cycles_to_ps(chip.send_cycles),
            pass_ps=machine.cycles_to_ps(pass_cycles),
            receive_ps=machine.cycles_to_ps(chip.receive_cycles),
            buffer_vectors=buffer_vectors,
        )

    def unloaded_ps(self, link_ps: Ints) -> int:
        """Return how long a packet takes if it never waits; closed form.

        A router is passed between two links; the first and the last are part of sending
        and receiving. A packet to its own chip passes one router where others pass two.

        Parameters
        ----------
        link_ps
            Latency of each link of the way, shape ``(hops,)``.
        """
        passed = len(link_ps) - 1
        ends_ps = self.send_ps + self.receive_ps
        return ends_ps + passed * self.pass_ps + int(link_ps.sum())


@final
@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class ReactiveResult:
    """When packets were sent and messages were there.

    Parameters
    ----------
    wire_ps
        When each packet entered each link, in the rows of the journeys.
    delivered_ps
        When the last packet of each message was in SRAM, shape ``(messages,)``.
    latency_ps
        The same, from when the message was ready.
    """

    wire_ps: Ints
    delivered_ps: Ints
    latency_ps: Ints


def simulate_reactive(
    spec: ReactiveSpec, journeys: Journeys, *, latency_ps: Ints, credit_ps: Ints
) -> ReactiveResult:
    """Return how the twin carries the packets of `journeys`.

    Parameters
    ----------
    spec
        Routers.
    journeys
        Packets and their ways.
    latency_ps
        Latency of each row's link, first bit on the wire to decoded in the buffer.
    credit_ps
        Time a credit takes back over each directed link, shape ``(directed links,)``.

    Raises
    ------
    SpecError
        If packets block each other for good; the message names them.
    """
    sent = _Network(spec, journeys, latency_ps=latency_ps, credit_ps=credit_ps).run()
    wire_ps = np.array(sent, dtype=np.int64)
    ready_ps = journeys.messages.ready_ps
    # A packet to its own chip; the others are overwritten.
    packet_ps = ready_ps[journeys.message] + spec.unloaded_ps(np.zeros(0, np.int64))
    there_ps = wire_ps + latency_ps + spec.receive_ps
    packet_ps[journeys.hops > 0] = there_ps[journeys.is_last]
    delivered_ps = np.zeros(len(journeys.messages), dtype=np.int64)
    np.maximum.at(delivered_ps, journeys.message, packet_ps)
    return ReactiveResult(
        wire_ps=wire_ps, delivered_ps=delivered_ps, latency_ps=delivered_ps - ready_ps
    )


@final
class _Network:
    """All ports and the packets between them.

    A packet is on its way as the number of its row, a plain integer; the columns are
    lists, whose elements cost a tenth of an array's to look at.
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
        """Return when each packet entered each link of its way."""
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
        """Put a packet on the wire now; return when it leaves the buffer, if known."""
        env = self._env
        self.wire_ps[row] = now = int(env.now)
        if not self._is_first[row]:
            self._ports[self._link[row - 1]].free(self._channel[row - 1])
        latency_ps = self._latency_ps[row]
        if self._is_last[row]:
            # Every port has its own way to SRAM: nothing to wait for.
            return now + latency_ps
        event = Timeout(env, latency_ps + self._spec.pass_ps, row + 1)
        event.callbacks.append(self._ready)
        return NOT_SENT

    def _ready(self, event: Event) -> None:
        row: int = event.value  # type: ignore[assignment]
        self._ports[self._link[row]].request(row)


def _requesters(
    journeys: Journeys, channel: NDArray[np.int64], channels: int
) -> NDArray[np.int64]:
    """Return who asks for each row's wire: 0 for the chip, else a channel it came by.

    Each channel of each link has a number of its own.
    """
    came_by = 1 + journeys.link * channels + channel
    before = np.concatenate([np.zeros(1, np.int64), came_by[:-1]])[: len(came_by)]
    return np.where(journeys.hop == 0, 0, before)
