"""Failover of a segment: detection, load, bring-up and restoration of the KV cache.

All of it follows from the fault script and random draws, so that engines need not
simulate it. A restoration is dispatched like any other program: passes that faults
damage are repeated, and a link or chip that fails twice is broken. Then the next
failover begins where the restoration ended.
"""

from collections.abc import Sequence
from typing import NamedTuple

from fabric.clocks.start_propagation import Start
from fabric.faults.delivery import Failure, SequenceState
from fabric.faults.fault_script import Outages
from fabric.faults.replay_policy import MOST_ATTEMPTS
from fabric.faults.spares import Restoration
from fabric.results.result import Failover
from fabric.runtime.hardware import AlignedChips, Hardware
from fabric.runtime.segment import Segment

# Draws of a restoration are numbered from a multiple of this on.
_MOST_ITERATIONS = 2**20


class FailedOver(NamedTuple):
    """Chips that are ready to resume after one or more failovers in a row.

    Attributes
    ----------
    failovers
        The failovers, in order.
    chips, start
        Chips with their counters aligned, and the start of the moved program.
    waiting
        State of each sequence.
    """

    failovers: tuple[Failover, ...]
    chips: AlignedChips
    start: Start
    waiting: tuple[SequenceState, ...]


class _Restored(NamedTuple):
    """Restorations that have run.

    Attributes
    ----------
    end_ps, passes
        When the last pass ended, and all passes.
    given_up
        Why the KV cache could not be restored, empty if it was.
    failure, outages
        What ended them early, and the outages known by then; None if nothing did.
    """

    end_ps: int
    passes: int
    given_up: str = ""
    failure: Failure | None = None
    outages: Outages | None = None


def fail_over(hardware: Hardware, segment: Segment, failure: Failure) -> FailedOver:
    """Return the chips after the failovers that a failure of a segment leads to.

    Raises
    ------
    ScheduleError
        If the chips cannot be aligned.
    """
    machine = hardware.machine
    waiting = tuple(
        each._replace(suspects=frozenset()) for each in segment.delivery.waiting
    )
    iteration = segment.first_iteration + failure.iteration
    # The token that failed is still the one that is waited for after a next failure.
    out, sequence, token = segment.outages, failure.sequence, failure.token
    at_ps = segment.scheduled_ps(segment.last_cycle)
    failovers: list[Failover] = []
    while True:
        moved, stopped_ps = failure.moved, at_ps
        bad_nodes = (*hardware.bad_nodes, failure.node)
        # Outages that the moved program avoids; later ones it must detect.
        known = hardware.outage(out, failure.end_cycle, bad_nodes)
        hardware.mark_bad(failure.node, moved, known)
        detect_ps = machine.failover.detection_ps(
            machine.host, chip_stopped=failure.link < 0
        )
        load_ps = machine.host.load_ps(moved.most_loaded_bytes)
        chips = hardware.aligned(moved.program.leader)
        epochs = chips.crystals.bring_up_epochs
        bring_up_ps = machine.cycles_to_ps(epochs * machine.hac.epoch_cycles)
        ready_ps = stopped_ps + detect_ps + load_ps + bring_up_ps
        restored = _restored(hardware, chips, moved.restorations, ready_ps)
        failover = Failover(
            sequence=sequence,
            iteration=iteration,
            token=token,
            link=failure.link,
            chip=failure.chip,
            bad_node=failure.node,
            spare_node=moved.spare_node,
            stopped_ps=stopped_ps,
            detect_ps=detect_ps,
            loaded_bytes=moved.loaded_bytes,
            load_ps=load_ps,
            bring_up_ps=bring_up_ps,
            kv_bytes=sum(each.restored_bytes for each in moved.restorations),
            kv_passes=restored.passes,
            kv_ps=restored.end_ps - ready_ps,
            resumed_ps=restored.end_ps,
        )
        at_ps = restored.end_ps
        if restored.failure is None:
            break
        failovers.append(failover)
        failure, iteration = restored.failure, -1
        assert restored.outages is not None
        out = restored.outages
    hardware.moved = moved._replace(lost=(), restorations=())
    start = hardware.start(chips, at_ps)
    resumed_ps = chips.crystals.root.edge_ps(start.cycle[moved.program.leader])
    failovers.append(failover._replace(resumed_ps=resumed_ps))
    # Without its KV cache a sequence has no next token.
    waiting = tuple(
        each._replace(given_up=each.given_up or restored.given_up) for each in waiting
    )
    return FailedOver(tuple(failovers), chips, start, waiting)


def _restored(
    hardware: Hardware,
    chips: AlignedChips,
    restorations: Sequence[Restoration],
    at_ps: int,
) -> _Restored:
    """Return the end of restorations that begin at a global time, one after another."""
    host, passes = hardware.machine.host, 0
    for number, part in enumerate(restorations):
        if part.host_bytes:
            at_ps += host.request_ps(part.host_bytes)
        for attempt in range(MOST_ATTEMPTS):
            ran = _ran(hardware, chips, part, at_ps, number * MOST_ATTEMPTS + attempt)
            at_ps, passes = ran.end_ps, passes + ran.passes
            if ran.failure is not None:
                return ran._replace(passes=passes)
            damaged = part.chained and ran.passes > part.passes
            if not damaged or ran.given_up:
                break
        if damaged or ran.given_up:
            reason = ran.given_up or f"{MOST_ATTEMPTS} recomputations were damaged"
            return _Restored(at_ps, passes, f"its KV cache is lost: {reason}")
    return _Restored(at_ps, passes)


def _ran(
    hardware: Hardware,
    chips: AlignedChips,
    part: Restoration,
    at_ps: int,
    number: int,
) -> _Restored:
    """Return the end of a restoration's passes, with those that were repeated.

    Parameters
    ----------
    hardware, chips, part
        The machine, its aligned chips, and the restoration.
    at_ps
        Global time from which the chips wait for an aligned start.
    number
        Restorations that ran before.
    """
    begin_cycle = hardware.start(chips, at_ps).cycle[chips.tree.root]
    loaded = hardware.load(
        part.program,
        chips.crystals,
        begin_cycle,
        draws=chips.draws,
        first_iteration=number * _MOST_ITERATIONS,
    )
    waiting = (SequenceState(),) * part.program.sequences
    delivery = loaded.dispatcher.plan(waiting, part.iterations)
    end_cycle = begin_cycle + loaded.dispatcher.last_cycle(delivery)
    return _Restored(
        chips.crystals.root.edge_ps(end_cycle),
        sum(delivery.iterations),
        max(each.given_up for each in delivery.waiting),
        delivery.failure,
        loaded.outages,
    )
