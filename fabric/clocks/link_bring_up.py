"""Bring-up of links: round trips measure latencies and rates of crystals.

The parent sends its counter, the child reflects it at its next cycle, and half of the
round trip is the latency. The arrival times also give the child the rate error of its
crystal. All links are evaluated at once; `fabric.simpy_engine.hac_protocol` simulates
the same protocol exchange by exchange.
"""

from collections.abc import Sequence
from typing import NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from fabric.clocks.alignment_epochs import level_delays
from fabric.clocks.clock import Clock
from fabric.clocks.crystal_array import CrystalArray
from fabric.clocks.hac import bring_up_settled, half_round_trip, rate_per_epoch
from fabric.links.latency import Jitter, least_latency_ps
from fabric.random_streams import Draws, Stream
from specs.arrays import Ints
from specs.machine import MachineSpec
from specs.units import ceil_div
from topologies.routing.spanning_tree import SpanningTree
from topologies.topology import Topology

# The 64 bits of a draw hold four jitters of 16 bits: two exchanges, out and back.
LANE_BITS = 16
LANES = 4

_LANE_MASK = np.uint64((2**LANE_BITS - 1) << (64 - LANE_BITS))
_LANE_MIDDLE = np.uint64(1 << (64 - LANE_BITS - 1))

# Exchanges times links evaluated at once, so that the arrays stay in the cache.
_BLOCK = 2**14


def lane_bits(bits: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return the draws of each link's jitter that a word of random bits holds.

    Each has 16 random bits and stands in the middle of those that it lacks, so that no
    draw depends on another.

    Parameters
    ----------
    bits
        Random words, shape ``(words, ...)``.

    Returns
    -------
    Shape ``(words, 4, ...)``.
    """
    lane = np.arange(LANES, dtype=np.uint64) * np.uint64(LANE_BITS)
    lane = lane.reshape((LANES,) + (1,) * (bits.ndim - 1))
    shifted = bits[:, np.newaxis] << lane
    lanes: NDArray[np.uint64] = (shifted & _LANE_MASK) | _LANE_MIDDLE
    return lanes


class MeasuredLinks(NamedTuple):
    """Measured latency and rate of each link, arrays of shape ``(links,)``.

    Attributes
    ----------
    latency, rate
        Latency, and the counts that the child's crystal loses in an epoch of its
        parent's; both in 2^-24 counts.
    exchanges
        Number of exchanges until the measurement settled.
    """

    latency: Ints
    rate: Ints
    exchanges: Ints


def spacing_epochs(machine: MachineSpec, least_ps: Ints) -> int:
    """Return the epochs between clock-alignment exchanges, enough for a round trip.

    Parameters
    ----------
    machine
        Default spacing, and jitter.
    least_ps
        Minimum latency of each link.
    """
    # A machine of one chip has no links.
    longest_ps = int(least_ps.max(initial=0)) + machine.cycles_to_ps(
        machine.link.jitter_cycles
    )
    epoch_ps = machine.cycles_to_ps(machine.hac.epoch_cycles)
    return max(machine.hac.spacing_epochs, 2 * longest_ps // epoch_ps + 2)


@final
class HacExchanges:
    """Exchanges over links, many round trips evaluated at once.

    Parameters
    ----------
    machine, topology
        Protocol constants, and topology.
    links
        Directed links from the parents to the children.
    clocks
        Clocks of all chips.
    least_ps
        Minimum latency of every directed link of the machine.
    jitter, draws
        Jitter of each direction, and its random numbers.
    """

    def __init__(
        self,
        machine: MachineSpec,
        topology: Topology,
        links: Ints,
        *,
        clocks: Sequence[Clock],
        least_ps: Ints,
        jitter: Jitter,
        draws: Draws,
    ) -> None:
        self.links = len(links)
        self._links = links
        self._least_ps = least_ps[links]
        self._parent = CrystalArray(clocks, topology.source[links])
        self._child = CrystalArray(clocks, topology.target[links])
        self._jitter = jitter
        self._draws = draws
        epochs = spacing_epochs(machine, least_ps)
        self._spacing_cycles = epochs * machine.hac.epoch_cycles

    def measure(self, first: int, count: int) -> tuple[Ints, Ints]:
        """Return round trips and lags of the children, in counts.

        Parameters
        ----------
        first, count
            Number of the first exchange and number of exchanges, both even.

        Returns
        -------
        tuple
            Round trips in counts of the parent, and lags of the child's counter behind
            the value when it reflects it; each of shape ``(count, links)``.
        """
        pairs = np.arange(first // 2, (first + count) // 2)[:, np.newaxis]
        bits = self._draws.bits(Stream.BRING_UP, self._links, pairs)
        jitter_ps = self._jitter.ps(self._links, lane_bits(bits))
        # The lanes of each word are out, back, out, back.
        directions = jitter_ps.reshape(count, 2, self.links)
        out_ps, back_ps = directions[:, 0], directions[:, 1]
        sent = np.arange(first, first + count)[:, np.newaxis] * self._spacing_cycles
        out_ps += self._parent.edges_ps(sent) + self._least_ps
        reflected = self._child.cycles_from(out_ps)
        back_ps += self._child.edges_ps(reflected) + self._least_ps
        return self._parent.cycles_at(back_ps) - sent, sent - reflected


def bring_up(
    machine: MachineSpec,
    topology: Topology,
    links: Ints,
    *,
    clocks: Sequence[Clock],
    least_ps: Ints,
    jitter: Jitter,
    draws: Draws,
) -> MeasuredLinks:
    """Return the measurement of each link for clock alignment, once it has settled.

    Parameters are those of `HacExchanges`.
    """
    hac = machine.hac

    def exchanges_over(part: Ints) -> HacExchanges:
        return HacExchanges(
            machine,
            topology,
            links[part],
            clocks=clocks,
            least_ps=least_ps,
            jitter=jitter,
            draws=draws,
        )

    unsettled = np.arange(len(links))
    count = hac.exchanges
    sums = _exchange_sums(exchanges_over(unsettled), 0, count // 2)
    exchanges = np.empty(len(links), dtype=np.int64)
    while True:
        before = sums[:, unsettled]
        second_half = _exchange_sums(exchanges_over(unsettled), count // 2, count)
        after = before + second_half
        sums[:, unsettled] = after
        exchanges[unsettled] = count
        settled = bring_up_settled(before[:2], after[:2], count)
        unsettled = unsettled[~settled]
        count *= 2
        if not len(unsettled) or count > hac.most_exchanges:
            break
    trips, _, behind, weighted = sums
    spacing = spacing_epochs(machine, least_ps)
    return MeasuredLinks(
        latency=half_round_trip(trips, exchanges),
        rate=rate_per_epoch(behind, weighted, exchanges, spacing),
        exchanges=exchanges,
    )


def steady_bring_up_epochs(
    machine: MachineSpec, topology: Topology, tree: SpanningTree
) -> int:
    """Return the epochs of a bring-up whose clocks neither drift nor links jitter.

    Then every link is settled when it is first judged, and so is every counter.
    """
    hac = machine.hac
    deepest = level_delays(machine, topology, tree).epochs.copy()
    for depth in range(1, tree.height + 1):
        level = np.flatnonzero(tree.depth == depth)
        deepest[level] += deepest[tree.parent[level]]
    if not tree.height:
        return 0
    measured = (hac.exchanges + 1) * spacing_epochs(
        machine, least_latency_ps(machine, topology)
    )
    windows = ceil_div(hac.settle_epochs, hac.window_epochs)
    return measured + int(deepest.max()) + windows * hac.window_epochs


def _exchange_sums(part: HacExchanges, first: int, end: int) -> Ints:
    """Return sums over clock-alignment exchanges `first` to `end`: ``(4, links)``.

    The rows are round trips, their squares, lags, and lags weighted by the number of
    the exchange.
    """
    total = np.zeros((4, part.links), dtype=np.int64)
    step = max(2, _BLOCK // max(1, part.links) // 2 * 2)
    for begin in range(first, end, step):
        count = min(step, end - begin)
        trips, behind = part.measure(begin, count)
        number = np.arange(begin, begin + count)
        total[0] += trips.sum(axis=0)
        total[1] += np.einsum("ij,ij->j", trips, trips)
        total[2] += behind.sum(axis=0)
        total[3] += np.einsum("i,ij->j", number, behind)
    return total
