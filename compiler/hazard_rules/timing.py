"""Timing rules: no receive underflows, no FIFO overflows, no deskew stalls work.

For `compiler.verify`; independent of the code that makes programs.
"""

import math

import numpy as np

from chip.program import Opcode, Program, Slice
from compiler.hazard_rules.structure import cycles_per_vector, in_period, violation
from specs.arrays import Ints, row_order
from specs.machine import MachineSpec
from topologies.topology import Topology


def check_receives(
    program: Program, topology: Topology, machine: MachineSpec, tree_height: int
) -> int:
    """Receive hazard rule: refuse a receive before its vectors arrive."""
    trains = program.trains
    latest = (
        trains.wire_cycle
        + _latency_cycles(topology, machine)[trains.link]
        + machine.link.jitter_cycles
        + _slip_cycles(program, machine, tree_height)
    )
    late = np.flatnonzero(latest > trains.receive_cycle)
    if len(late):
        train = int(late[0])
        link = int(trains.link[train])
        raise violation(
            "underflow",
            f"link {link} (chip {topology.source[link]} to {topology.target[link]}): "
            f"train {train} is received at cycle {trains.receive_cycle[train]} but may "
            f"come as late as {latest[train]}; widen the guard by "
            f"{latest[train] - trains.receive_cycle[train]} cycles",
        )
    return len(trains)


def check_fifos(
    program: Program, topology: Topology, machine: MachineSpec, tree_height: int
) -> int:
    """FIFO hazard rule: refuse more vectors in a receive FIFO than it has places.

    Vectors are counted at their earliest arrival, when the first vector of a train is
    received: those of the train itself, and those of the trains behind it. From then on
    vectors leave as fast as they can arrive, so no other cycle is worse.
    """
    trains, link = program.trains, machine.link
    earliest = (
        trains.wire_cycle
        + _latency_cycles(topology, machine)[trains.link]
        - _slip_cycles(program, machine, tree_height)
    )
    spacing = cycles_per_vector(machine)
    order = row_order(trains.link, trains.receive_cycle)
    on, take = trains.link[order], trains.receive_cycle[order]
    come, size = earliest[order], trains.vectors[order]
    waiting = np.minimum(size, (take - come) // spacing + 1)
    for ahead in range(1, len(on)):
        behind = (on[ahead:] == on[:-ahead]) & (come[ahead:] <= take[:-ahead])
        if not behind.any():
            break
        there = np.minimum(size[ahead:], (take[:-ahead] - come[ahead:]) // spacing + 1)
        waiting[:-ahead] += np.where(behind, there, 0)
    full = np.flatnonzero(waiting > link.fifo_vectors)
    if len(full):
        row = int(full[0])
        raise violation(
            "overflow",
            f"link {on[row]}: {int(waiting[row])} vectors may wait at cycle "
            f"{take[row]} in a receive FIFO of {link.fifo_vectors}; set "
            f"link.fifo_vectors to {int(waiting[row])}",
        )
    return len(on)


def check_deskews(program: Program, machine: MachineSpec, tree_height: int) -> int:
    """Deskew hazard rule: refuse work in a deskew, or a link long after.

    Drift between two deskews may not exceed half an epoch. A program without deskews is
    valid only on clocks that do not drift.
    """
    deskews, code = program.deskews, program.instructions
    if not deskews.interval_cycles:
        drift = _relative_drift(machine)
        if drift:
            raise violation(
                "a program never deskews",
                f"in one period of {program.period_cycles} cycles crystals may drift "
                f"{math.ceil(drift * program.period_cycles)} cycles apart, and further "
                f"in each; set deskew.interval_epochs to 'auto'",
            )
        return 0
    period, stall = program.period_cycles, deskews.stall_cycles
    # A mark takes no cycles, but a stall around it would move it.
    work = (code.duration_cycles > 0) | (code.opcode == Opcode.MARK)
    chip = np.tile(code.chip[work], program.sequences).astype(np.int64)
    start = in_period(program, code.start_cycle[work])
    length = np.tile(code.duration_cycles[work], program.sequences)
    linked = np.isin(code.slice[work], (Slice.C2C_IN, Slice.C2C_OUT))
    linked = np.tile(linked, program.sequences)
    # One number for chip and cycle; three periods, so that the middle one has no edge.
    span = 4 * period
    own = deskews.chip.astype(np.int64) * span + deskews.start_cycle
    # One entry before and one after all others stand for "never".
    never = np.array([-span, (program.chips + 1) * span], dtype=np.int64)
    marks = np.concatenate([own, own + period, own + 2 * period, never])
    marks.sort()
    begin = chip * span + start + period
    finish = begin + length
    following = np.searchsorted(marks, begin, "right")
    last, upcoming = marks[following - 1], marks[following]
    last = np.where(last // span == chip, last, -span)
    # A mark may stand at the very start of a deskew.
    in_last = (last + stall > begin) & ((last < begin) | (length > 0))
    hit = in_last | (upcoming < finish)
    if hit.any():
        row = int(np.flatnonzero(hit)[0])
        raise violation(
            "a deskew stalls work",
            f"chip {chip[row]} is busy at cycle {start[row]} while it deskews",
        )
    stale = linked & (finish - last > deskews.interval_cycles)
    if stale.any():
        row = int(np.flatnonzero(stale)[0])
        raise violation(
            "a deskew is missing",
            f"chip {chip[row]} uses a link at cycle {start[row]} more than "
            f"{deskews.interval_cycles} cycles after its last deskew",
        )
    _check_distances(marks[1:-1], span, program, machine, tree_height)
    return len(chip) + len(deskews)


def _check_distances(
    marks: Ints, span: int, program: Program, machine: MachineSpec, tree_height: int
) -> None:
    """Refuse two successive deskews of a chip that overlap or are too far apart."""
    within = np.flatnonzero(marks[1:] // span == marks[:-1] // span)
    if not len(within):
        return
    distance = marks[within + 1] - marks[within]
    stall = program.deskews.stall_cycles
    if distance.min() < stall:
        at = int(marks[within[distance.argmin()]])
        raise violation(
            "two deskews overlap",
            f"chip {at // span} deskews at cycle {at % span % program.period_cycles} "
            f"and {distance.min()} cycles later, but a deskew takes {stall}",
        )
    error = machine.hac.tracking_error_counts * tree_height + 1
    drift = int(distance.max()) * _relative_drift(machine) + error
    if drift > machine.hac.epoch_cycles / 2:
        at = int(marks[within[distance.argmax()]])
        raise violation(
            "a deskew is misread",
            f"chip {at // span} deskews {distance.max()} cycles after cycle "
            f"{at % span % program.period_cycles}, in which drift may exceed half an "
            f"epoch",
        )


def _relative_drift(machine: MachineSpec) -> float:
    """Return the largest drift of two crystals, in cycles per cycle."""
    if machine.clock.model == "ideal":
        return 0.0
    off = machine.clock.drift_ppm / 1e6
    return (1 + off) / (1 - off) - 1


def _slip_cycles(program: Program, machine: MachineSpec, tree_height: int) -> int:
    """Return the largest misalignment of two chips when a vector arrives, in cycles."""
    drift, link = _relative_drift(machine), machine.link
    if drift == 0 and link.jitter_cycles == 0:
        return 0
    # Counters show whole counts, and edges lie on whole picoseconds.
    error = 2 * machine.hac.tracking_error_counts * tree_height + 2
    flight = link.latency_cycles + machine.fec.parameters.decode_cycles
    elapsed = program.deskews.interval_cycles + flight + link.jitter_cycles
    return error + math.ceil(drift * elapsed - 1e-9)


def _latency_cycles(topology: Topology, machine: MachineSpec) -> Ints:
    """Return the least latency of each link in cycles, rounded up."""
    link = machine.link
    longer_m = np.maximum(0.0, topology.length_m - link.reference_length_m)
    flight_ps = np.round(longer_m * link.flight_ps_per_m).astype(np.int64)
    flight = -(-flight_ps * machine.chip.clock_hz // 10**12)
    return flight + link.latency_cycles + machine.fec.parameters.decode_cycles
