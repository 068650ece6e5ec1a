"""Traffic of the reactive baseline model: messages and the routes of their packets."""

from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np
from numpy.typing import NDArray

from fabric.links.latency import Jitter, least_latency_ps
from fabric.random_streams import Draws, Stream, component_keys
from specs.arrays import Ints
from specs.errors import SpecError
from specs.machine import MachineSpec
from topologies.routing.static_routes import Routes, chip_pairs
from topologies.topology import Topology


@final
@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Messages:
    """Messages between chips; each is divided into packets of one vector.

    Parameters
    ----------
    source, target
        Chips, shape ``(messages,)`` as every column here.
    vectors
        Packets of each message.
    ready_ps
        Time from which it is in the SRAM of its source. Messages of one chip that are
        ready at the same time are sent in the order of the columns.
    """

    source: Ints
    target: Ints
    vectors: Ints
    ready_ps: Ints

    def __len__(self) -> int:
        """Return the number of messages."""
        return len(self.source)


@final
@dataclass(frozen=True, eq=False)
class Journeys:
    """Routes of packets: one row for every packet on every link of its route.

    The rows of a packet follow each other, and so do the packets of a message.

    Parameters
    ----------
    messages
        Messages of the packets.
    message
        Message of each packet, shape ``(packets,)``.
    hops
        Links on the route of each packet, 0 to its own chip, shape ``(packets,)``.
    link
        Directed link of each row, shape ``(rows,)``.
    """

    messages: Messages
    message: Ints
    hops: Ints
    link: Ints

    @cached_property
    def first_row(self) -> Ints:
        """Return the first row of each packet, shape ``(packets,)``."""
        return np.cumsum(self.hops) - self.hops

    @cached_property
    def hop(self) -> Ints:
        """Return the number of links before each row's on its packet's route."""
        return np.arange(len(self.link)) - np.repeat(self.first_row, self.hops)

    @cached_property
    def is_last(self) -> NDArray[np.bool_]:
        """Return whether each row's link is the last of its packet's route."""
        is_last: NDArray[np.bool_] = self.hop == np.repeat(self.hops, self.hops) - 1
        return is_last

    @property
    def most_hops(self) -> int:
        """Return the number of links of the longest route."""
        return int(self.hops.max(initial=0))


def journeys(messages: Messages, routes: Routes) -> Journeys:
    """Return every packet's route in the reactive network, the same for a message.

    Raises
    ------
    TopologyError
        If there is no route, or no such chip.
    """
    pairs = zip(messages.source.tolist(), messages.target.tolist(), strict=True)
    paths = [np.array(routes.path(*pair), dtype=np.int64) for pair in pairs]
    hops = np.array([len(path) for path in paths], dtype=np.int64)
    links = [np.tile(p, n) for p, n in zip(paths, messages.vectors, strict=True)]
    return Journeys(
        messages=messages,
        message=np.repeat(np.arange(len(messages)), messages.vectors),
        hops=np.repeat(hops, messages.vectors),
        link=np.concatenate([np.zeros(0, np.int64), *links]),
    )


def mean_latency_ps(machine: MachineSpec, topology: Topology) -> Ints:
    """Return each reactive link's minimum latency plus the mean jitter, in ps.

    Like `LinkSpec.mean_latency_cycles`, the mean is one number for all links.
    """
    link = machine.link
    jitter_cycles = link.mean_latency_cycles - link.latency_cycles
    return least_latency_ps(machine, topology) + machine.cycles_to_ps(jitter_cycles)


def drawn_latency_ps(
    machine: MachineSpec, topology: Topology, journeys: Journeys, draws: Draws
) -> Ints:
    """Return a latency with jitter for each reactive hop, shape ``(rows,)``, in ps."""
    packet = np.repeat(np.arange(len(journeys.hops)), journeys.hops)
    bits = draws.bits(Stream.JITTER, component_keys(packet, journeys.hop))
    jitter_ps = Jitter(machine, topology).ps(journeys.link, bits)
    return least_latency_ps(machine, topology)[journeys.link] + jitter_ps


def all_to_all(topology: Topology, routes: Routes, vectors: int) -> Messages:
    """Return all-to-all reactive traffic: a message of each pair, all ready at once.

    Each chip sends the messages with the most hops first. Neighbouring chips begin with
    different targets. The compiler uses the same order.
    """
    pairs = chip_pairs(topology)
    pairs.sort(key=lambda pair: -routes.hops(*pair))
    ends = np.array(pairs, dtype=np.int64).T
    return Messages(
        source=ends[0],
        target=ends[1],
        vectors=np.full(len(pairs), vectors, dtype=np.int64),
        ready_ps=np.zeros(len(pairs), dtype=np.int64),
    )


def uniform_messages(
    chips: Ints,
    draws: Draws,
    *,
    mean_gap_ps: float,
    until_ps: int,
    own_chip: bool = False,
) -> Messages:
    """Return uniform random reactive traffic: one-vector messages, Poisson arrivals.

    Parameters
    ----------
    chips
        Sources and, equally likely, targets of messages, shape ``(members,)``.
    draws
        Random numbers.
    mean_gap_ps
        Mean time between two messages of one chip.
    until_ps
        Time at which chips stop sending.
    own_chip
        Whether a message may go to the chip it comes from.

    Raises
    ------
    SpecError
        If the gap is not above zero, or there is no target.
    """
    members = len(chips)
    if not mean_gap_ps > 0:
        raise SpecError(f"mean_gap_ps {mean_gap_ps} must be above 0")
    if members <= 1 and not own_chip:
        raise SpecError(
            f"{members} chip has nobody to send to: use two or more, or own_chip=True"
        )
    # Six standard deviations above the mean; if a chip needs more, all are drawn again.
    expected = until_ps / mean_gap_ps
    count = int(expected + 6 * expected**0.5) + 8
    while True:
        each = np.repeat(np.arange(members), count)
        number = np.tile(np.arange(count), members)
        keys = component_keys(each, number)
        gaps = -mean_gap_ps * np.log(draws.uniform(Stream.ARRIVAL, keys))
        ready = np.cumsum(gaps.reshape(members, count), axis=1)
        if (ready[:, -1] >= until_ps).all():
            break
        count *= 2
    ready_ps = ready.ravel().astype(np.int64)
    others = members if own_chip else members - 1
    picked = (draws.uniform(Stream.DESTINATION, keys) * others).astype(np.int64)
    if not own_chip:
        picked += picked >= each
    in_time = np.flatnonzero(ready_ps < until_ps)
    order = in_time[np.lexsort((each[in_time], ready_ps[in_time]))]
    return Messages(
        source=chips[each[order]],
        target=chips[picked[order]],
        vectors=np.ones(len(order), dtype=np.int64),
        ready_ps=ready_ps[order],
    )
