"""Slice rules: each kind of operator respects the resources of a chip's slices.

For `compiler.verify`; independent of the code that makes programs. Slice instructions
are read from the program; bytes and multiplications are counted again.
"""

from collections import defaultdict
from typing import NamedTuple

import numpy as np

from chip.functional_units import Inventory, SliceInstruction, SlicePort, inventory
from chip.operator_work import LoadWork, ProductWork
from chip.program import OperatorKind, Program
from compiler.hazard_rules.rates import check_rates
from compiler.hazard_rules.rounds import required_rounds, times_of
from compiler.hazard_rules.structure import violation
from specs.arrays import Ints
from specs.chip import ChipSpec
from specs.machine import MachineSpec
from specs.units import ceil_div


def check_kinds(program: Program, machine: MachineSpec) -> int:
    """Resource hazard rule: refuse a slice, bank or stream that is used twice."""
    resources = inventory(machine.chip)
    for number, kind in enumerate(program.kinds):
        where = f"operator kind {number}"
        for step in kind.steps:
            _check_step(step, resources, machine, where)
        _check_units(kind.steps, where)
        _check_streams(kind.steps, resources, where)
    return sum(len(kind.steps) for kind in program.kinds)


def check_amounts(program: Program, machine: MachineSpec) -> int:
    """Amount hazard rule: refuse slices that do more or less than asked."""
    for number, kind in enumerate(program.kinds):
        work = kind.work
        required = {
            "read": work.read_bytes,
            "written": work.written_bytes,
            "multiplied": work.macs,
            "loaded": _loaded_bytes(kind, machine.chip),
        }
        steps = kind.steps
        done = {
            "read": _moved(steps, SlicePort.MEM_READ),
            "written": _moved(steps, SlicePort.MEM_WRITE),
            "multiplied": sum(step.macs for step in steps),
            "loaded": _moved(steps, SlicePort.MXM_LOAD),
        }
        for what, amount in required.items():
            if done[what] != amount:
                name = type(work).__name__.removesuffix("Work").lower()
                raise violation(
                    "a kind of operator does something else",
                    f"operator kind {number}, {name}: "
                    f"{done[what]:,} are {what}, {amount:,} are asked for",
                )
        check_rates(number, kind, machine)
        if isinstance(work, ProductWork):
            _check_ahead(number, work, machine.chip)
    return 4 * len(program.kinds)


def _check_ahead(number: int, work: ProductWork, chip: ChipSpec) -> None:
    """Refuse a product that relies on rounds or bytes which cannot be loaded ahead."""
    room = chip.mxm_buffer_bytes // chip.round_bytes
    ahead = work.preloaded_rounds
    if not 0 <= ahead <= min(work.ready_rounds, room):
        raise violation(
            "what is loaded ahead is not there",
            f"operator kind {number}: {ahead} rounds of tiles are loaded ahead, "
            f"{work.ready_rounds} can be known and {room} held",
        )
    rounds = max(1, required_rounds(chip, work))
    if work.preloaded_bytes != work.stored_bytes * ahead // rounds:
        raise violation(
            "what is loaded ahead is not there",
            f"operator kind {number}: {work.preloaded_bytes:,} bytes are read ahead of "
            f"{work.stored_bytes:,}, which are {ahead} of {rounds} rounds of tiles",
        )


def _loaded_bytes(kind: OperatorKind, chip: ChipSpec) -> int:
    """Return the bytes of padded tiles that an operator loads into the buffers."""
    rounds = 0
    if isinstance(kind.work, ProductWork):
        rounds = required_rounds(chip, kind.work) - kind.work.preloaded_rounds
    elif isinstance(kind.work, LoadWork):
        rounds = kind.work.rounds
    return rounds * chip.round_bytes


def _moved(steps: tuple[SliceInstruction, ...], port: SlicePort) -> int:
    """Return the bytes that all instructions of a port move."""
    return sum(step.bytes for step in steps if step.port is port)


def _check_step(
    step: SliceInstruction, resources: Inventory, machine: MachineSpec, where: str
) -> None:
    """Refuse slices that do not exist, or more bytes than they move in the time."""
    last = step.first + step.units - 1
    if step.first < 0 or step.units < 1 or last >= resources.units[step.port]:
        raise violation(
            "no such slice",
            f"{where}: {step.port.name} {last} at cycle {step.start_cycle}, and a chip "
            f"has {resources.units[step.port]}",
        )
    if step.port in (SlicePort.MEM_READ, SlicePort.MEM_WRITE):
        room = step.units * step.duration_cycles * resources.stream_bytes
    elif step.port is SlicePort.MXM_LOAD:
        room = step.duration_cycles * machine.chip.weight_feed_bytes_per_cycle
    else:
        return
    # Bytes are spread evenly over the repeats.
    if ceil_div(step.bytes, step.repeats) > room:
        raise violation(
            "more bytes than slices move",
            f"{where}: {step.port.name} {step.first}-{last} at cycle "
            f"{step.start_cycle}: {step.bytes:,} bytes in {step.repeats} x "
            f"{step.duration_cycles} cycles, room for {step.repeats * room:,}",
        )


def _check_units(steps: tuple[SliceInstruction, ...], where: str) -> None:
    """Refuse two instructions at a time on a slice port, or on a bank."""
    taken: defaultdict[str, list[SliceInstruction]] = defaultdict(list)
    for step in steps:
        taken[step.port.name].append(step)
        if step.bank >= 0:
            # A slice reads and writes at the same time only in different banks.
            taken[f"MEM bank {step.bank}"].append(step)
    for port, users in taken.items():
        # Units between two edges have the same users.
        for unit in sorted({step.first for step in users}):
            own = [s for s in users if s.first <= unit < s.first + s.units]
            times = times_of(own)
            busy = np.maximum.accumulate(times.end)[:-1]
            twice = np.flatnonzero(times.start[1:] < busy)
            if len(twice):
                at = int(twice[0])
                raise violation(
                    "a slice does two things",
                    f"{where}: {port} of slice {unit} is busy until cycle {busy[at]} "
                    f"and starts again at cycle {times.start[at + 1]}",
                )


def _check_streams(
    steps: tuple[SliceInstruction, ...], resources: Inventory, where: str
) -> None:
    """Refuse more streams in a direction than the chip has."""
    cycles, uses = _streams_over_time(steps)
    if uses.max(initial=0) > resources.streams:
        at = int(uses.max(axis=0).argmax())
        east, west = uses[:, at].tolist()
        raise violation(
            "too many streams",
            f"{where}: {east} east and {west} west at cycle {cycles[at]}, and there "
            f"are {resources.streams} each way; use fewer tensor members or a shorter "
            f"context",
        )


def _streams_over_time(steps: tuple[SliceInstruction, ...]) -> tuple[Ints, Ints]:
    """Return each cycle of a change, and the streams east and west from then on."""
    cycles, changes = [], []
    for step in steps:
        times = times_of([step])
        used = np.array([[step.east], [step.west]]).repeat(step.repeats, axis=1)
        cycles += [times.start, times.end]
        changes += [used, -used]
    cycle, place = np.unique(np.concatenate(cycles), return_inverse=True)
    change = np.zeros((2, len(cycle)), dtype=np.int64)
    for side, amounts in enumerate(np.concatenate(changes, axis=1)):
        np.add.at(change[side], place, amounts)
    return cycle, np.cumsum(change, axis=1)


def last_cycle(kind: OperatorKind) -> int:
    """Return the cycle at which a kind's last slice ends, for the length rule.

    It counts from the start of the kind.
    """
    return max(step.end_cycle for step in kind.steps)


class Phase(NamedTuple):
    """Phase of an operator, for the stream rule: its cycles and most streams at a time.

    Cycles count from the start of the operator.
    """

    begin: int
    end: int
    east: int
    west: int


def phases(kind: OperatorKind) -> list[Phase]:
    """Return the phases of a kind for the stream rule: reading weights, and after.

    A product that drains leaves its streams to the weights of the next one.
    """
    cycles, uses = _streams_over_time(kind.steps)
    multiplied = [s.start_cycle for s in kind.steps if s.port is SlicePort.MXM_MULTIPLY]
    reads = [
        step.end_cycle
        for step in kind.steps
        if step.port is SlicePort.MEM_READ
        and step.start_cycle < min(multiplied, default=0)
    ]
    edge = int(np.searchsorted(cycles, max(reads, default=0)))
    found = []
    for first, last in ((0, edge), (edge, len(cycles) - 1)):
        if first < last:
            east, west = uses[:, first:last].max(axis=1).tolist()
            found.append(Phase(int(cycles[first]), int(cycles[last]), east, west))
    return found
