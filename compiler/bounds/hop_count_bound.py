"""How long messages are on their way at least, whichever way they go.

Vectors of a replica go around the chips of others, so that the links of the shortest
ways say nothing of it. What holds for any way is that it has no fewer hops, each over
the shortest cable.
"""

from typing import final

import numpy as np

from compiler.bounds.congestion_bound import least_timing
from compiler.cost.link_timing import LinkTiming, serialisation_cycles, vectors_of
from compiler.ir.messages import MessageTable
from compiler.ir.transfers import Transport, trainless
from compiler.scheduling.token_scheduler import token_timeline
from sharding.planner.plan import ShardingPlan
from specs.arrays import Ints
from specs.machine import MachineSpec
from specs.units import ceil_div
from topologies.outage import NO_OUTAGE
from topologies.routing.breadth_first import hop_counts
from topologies.topology import Topology


@final
class HopCountBound:
    """The least time of each phase of messages on any routes; a carrier for timelines.

    Parameters
    ----------
    topology, machine
        Where messages travel.
    timing
        The links, with the smallest guard band that a schedule may have.

    Attributes
    ----------
    topology
        The wiring.
    """

    def __init__(
        self, topology: Topology, machine: MachineSpec, timing: LinkTiming
    ) -> None:
        self.topology = topology
        self._machine = machine
        self._timing = timing
        self._hops: dict[int, Ints] = {}
        self._known: dict[MessageTable, Transport] = {}

    def transport(self, messages: MessageTable) -> Transport:
        """Return a transport without trains that lasts as long as `cycles` says."""
        if messages not in self._known:
            self._known[messages] = trainless(self.cycles(messages))
        return self._known[messages]

    def cycles(self, messages: MessageTable) -> int:
        """Return a number of cycles that carrying `messages` takes, or more.

        Parameters
        ----------
        messages
            Messages that start together, none from a chip to itself.
        """
        if not len(messages):
            return 0
        timing = self._timing
        hop_cycles = int(timing.latency_cycles.min()) + timing.guard_cycles
        hops = self._fewest_hops(messages.source, messages.target)
        way = hops * hop_cycles + (hops - 1) * timing.pass_cycles
        sizes, size = np.unique(messages.payload_bytes, return_inverse=True)
        stripes = self._machine.link.stripe_cables
        last = [
            ceil_div(vectors_of(self._machine, payload), stripes) - 1
            for payload in sizes.tolist()
        ]
        tails = [serialisation_cycles(self._machine, vectors) for vectors in last]
        handled = timing.send_cycles + timing.receive_cycles
        return handled + int((way + np.array(tails, dtype=np.int64)[size]).max())

    def _fewest_hops(self, source: Ints, target: Ints) -> Ints:
        chips = sorted(set(source.tolist()) - self._hops.keys())
        if chips:
            found = hop_counts(NO_OUTAGE.adjacency(self.topology), chips)
            for column, chip in enumerate(chips):
                self._hops[chip] = found[:, column].astype(np.int64)
        pairs = zip(source.tolist(), target.tolist(), strict=True)
        fewest: Ints = np.array([self._hops[a][b] for a, b in pairs], dtype=np.int64)
        return fewest


def detour_bound(
    machine: MachineSpec, topology: Topology, leader: int
) -> HopCountBound:
    """Return the bound on messages under the smallest guard band of any schedule."""
    return HopCountBound(topology, machine, least_timing(machine, topology, leader))


def least_replica_cycles(plan: ShardingPlan, detours: HopCountBound) -> int:
    """Return the least cycles from a token to the next of its sequence in a replica.

    Parameters
    ----------
    plan
        The plan of the replica.
    detours
        What says how long messages take at least.

    Raises
    ------
    ScheduleError
        If the plan takes more trains than memory holds.
    """
    chain = token_timeline(plan, detours.topology, detours, interval_cycles=0)
    if plan.sequences == 1:
        return chain.token_cycles
    # One stage serves all sequences in turn, and deskews in between.
    pace = max(chain.stage_cycles) + plan.task.machine.hac.epoch_cycles
    return max(chain.token_cycles, plan.sequences * pace)
