"""Specification of the baseline model's routers: times, buffers, virtual channels."""

from dataclasses import dataclass
from typing import Self, final

from specs.arrays import Ints
from specs.errors import SpecError
from specs.machine import MachineSpec


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ReactiveSpec:
    """Router of the baseline model: latencies without contention, and buffers.

    Parameters
    ----------
    vector_ps
        Serialisation time of a packet.
    send_ps, pass_ps, receive_ps
        Latency from SRAM to the wire; from the receive buffer to the next wire; from
        the receive buffer to SRAM.
    buffer_vectors
        Capacity of each virtual channel of a receive buffer.
    virtual_channels
        Channels of each buffer; None for as many as the longest route has links. With
        fewer channels a packet stays in the last one once it has used the others, and
        a deadlock is possible.

    Raises
    ------
    SpecError
        If a buffer or time is not positive, or a latency is negative.
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
        """Return the baseline model of a scheduled machine, with the same times.

        Parameters
        ----------
        machine
            Chips and links.
        buffer_vectors
            Capacity of each virtual channel; that of the receive FIFO if None.
        """
        link, chip = machine.link, machine.chip
        pass_cycles = link.forward_cycles - link.mean_latency_cycles
        if buffer_vectors is None:
            buffer_vectors = link.fifo_vectors
        return cls(
            vector_ps=int(machine.line.vector_ps),
            send_ps=machine.cycles_to_ps(chip.send_cycles),
            pass_ps=machine.cycles_to_ps(pass_cycles),
            receive_ps=machine.cycles_to_ps(chip.receive_cycles),
            buffer_vectors=buffer_vectors,
        )

    def unloaded_ps(self, link_ps: Ints) -> int:
        """Return the latency of a packet without contention, in closed form.

        A packet passes a router between two links; the first and the last router are
        part of sending and receiving. A packet to its own chip passes one router where
        others pass two.

        Parameters
        ----------
        link_ps
            Latency of each link of the route, shape ``(hops,)``.
        """
        passed = len(link_ps) - 1
        ends_ps = self.send_ps + self.receive_ps
        return ends_ps + passed * self.pass_ps + int(link_ps.sum())
