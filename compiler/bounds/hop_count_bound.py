"""Hop-count bound: the least cycles of messages on any paths.

Vectors of a replica go around the chips of others, so that the links of shortest paths
say nothing of them. Any path has at least as many hops as a shortest one, each over no
less than the shortest cable.
"""

from typing import final

import numpy as np

from compiler.bounds.congestion_bound import least_link_timing
from compiler.cost.link_timing import LinkTiming, serialisation_cycles, vectors_of
from compiler.ir.messages import MessageTable
from compiler.ir.transfers import Transport, trainless
from compiler.passes.model_pass import model_pass
from compiler.scheduling.pass_scheduler import pass_timeline
from sharding.planner.plan import ShardingPlan
from specs.arrays import Ints
from specs.machine import MachineSpec
from specs.units import ceil_div
from topologies.outage import NO_OUTAGE
from topologies.routing.breadth_first import hop_counts
from topologies.topology import Topology


@final
class HopCountBound:
    """Hop-count bound on phases of messages; a transfer model for timelines.

    Parameters
    ----------
    topology, machine
        Where messages travel.
    timing
        The links, with the smallest guard band that a schedule may have.

    Attributes
    ----------
    topology
        The topology.
    """

    def __init__(
        self, topology: Topology, machine: MachineSpec, timing: LinkTiming
    ) -> None:
        self.topology = topology
        self._machine = machine
        self._timing = timing
        self._hops: dict[int, Ints] = {}
        self._transports: dict[MessageTable, Transport] = {}

    def transport(self, messages: MessageTable) -> Transport:
        """Return a transport without trains that lasts as long as `cycles` says."""
        if messages not in self._transports:
            self._transports[messages] = trainless(self.cycles(messages))
        return self._transports[messages]

    def cycles(self, messages: MessageTable) -> int:
        """Return a lower bound on the cycles in which `messages` are carried.

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
        path_cycles = hops * hop_cycles + (hops - 1) * timing.pass_cycles
        sizes, size = np.unique(messages.payload_bytes, return_inverse=True)
        stripes = self._machine.link.stripe_cables
        last = [
            ceil_div(vectors_of(self._machine, payload), stripes) - 1
            for payload in sizes.tolist()
        ]
        tails = [serialisation_cycles(self._machine, vectors) for vectors in last]
        ends = timing.send_cycles + timing.receive_cycles
        return ends + int((path_cycles + np.array(tails, dtype=np.int64)[size]).max())

    def _fewest_hops(self, source: Ints, target: Ints) -> Ints:
        """Return the hops of a shortest path of each message."""
        chips = sorted(set(source.tolist()) - self._hops.keys())
        if chips:
            counts = hop_counts(NO_OUTAGE.adjacency(self.topology), chips)
            for column, chip in enumerate(chips):
                self._hops[chip] = counts[:, column].astype(np.int64)
        pairs = zip(source.tolist(), target.tolist(), strict=True)
        fewest: Ints = np.array([self._hops[a][b] for a, b in pairs], dtype=np.int64)
        return fewest


def hop_count_bound(
    machine: MachineSpec, topology: Topology, leader: int
) -> HopCountBound:
    """Return the hop-count bound with the smallest guard band of any schedule.

    Parameters
    ----------
    machine, topology
        Where messages travel.
    leader
        Root of the tree along which chips are aligned.
    """
    return HopCountBound(
        topology, machine, least_link_timing(machine, topology, leader)
    )


def least_replica_cycles(plan: ShardingPlan, bound: HopCountBound) -> int:
    """Return a lower bound on the latency of a replica, in cycles.

    That is the time from a token to the next of the same sequence.

    Parameters
    ----------
    plan
        The plan of the replica.
    bound
        The least cycles of messages.

    Raises
    ------
    ScheduleError
        If the plan takes more trains than memory holds.
    """
    planned = model_pass(plan)
    timeline = pass_timeline(planned, bound.topology, bound, interval_cycles=0)
    if plan.sequences == 1:
        return timeline.token_cycles
    # One stage serves all sequences in turn, and deskews in between.
    interval = max(timeline.stage_cycles) + plan.task.machine.hac.epoch_cycles
    return max(timeline.token_cycles, plan.sequences * interval)
