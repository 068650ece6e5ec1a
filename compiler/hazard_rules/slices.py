"""Slice rules: each kind of operator respects the resources of a chip's slices.

For `compiler.verify`; independent of the code that makes programs. Slice instructions
are read from the program; bytes and multiplications are counted again.
"""

from collections import defaultdict

from chip.functional_units import Inventory, SliceInstruction, SlicePort, inventory
from chip.operator_work import LoadWork, ProductWork
from chip.program import OperatorKind, Program
from compiler.hazard_rules.rates import check_rates
from compiler.hazard_rules.structure import violation
from specs.machine import MachineSpec


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
            "loaded": _loaded_bytes(kind),
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
        if isinstance(work, ProductWork) and work.preloaded_bytes > min(
            work.ready_bytes, machine.chip.mxm_buffer_bytes
        ):
            raise violation(
                "what is loaded ahead is not there",
                f"operator kind {number}: {work.preloaded_bytes:,} bytes are loaded "
                f"ahead, {work.ready_bytes:,} can be known and "
                f"{machine.chip.mxm_buffer_bytes:,} held",
            )
    return 4 * len(program.kinds)


def _loaded_bytes(kind: OperatorKind) -> int:
    """Return the bytes that an operator loads into the weight buffers."""
    if isinstance(kind.work, ProductWork):
        return kind.work.fed_bytes - kind.work.preloaded_bytes
    return kind.work.fed_bytes if isinstance(kind.work, LoadWork) else 0


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
    if step.bytes > room:
        raise violation(
            "more bytes than slices move",
            f"{where}: {step.port.name} {step.first}-{last} at cycle "
            f"{step.start_cycle}: {step.bytes:,} bytes in {step.duration_cycles} "
            f"cycles, room for {room:,}",
        )


def _check_units(steps: tuple[SliceInstruction, ...], where: str) -> None:
    """Refuse two instructions at a time on a slice port, or on a bank."""
    taken: defaultdict[tuple[str, int], list[SliceInstruction]] = defaultdict(list)
    for step in steps:
        for unit in range(step.first, step.first + step.units):
            taken[step.port.name, unit].append(step)
            if step.bank >= 0:
                # A slice reads and writes at the same time only in different banks.
                taken[f"MEM bank {step.bank}", unit].append(step)
    for (port, unit), users in taken.items():
        users.sort(key=lambda step: step.start_cycle)
        busy = users[0].start_cycle
        for step in users:
            if step.start_cycle < busy:
                raise violation(
                    "a slice does two things",
                    f"{where}: {port} of slice {unit} is busy until cycle {busy} and "
                    f"starts to {step.step.name} at cycle {step.start_cycle}",
                )
            busy = step.start_cycle + step.duration_cycles


def _check_streams(
    steps: tuple[SliceInstruction, ...], resources: Inventory, where: str
) -> None:
    """Refuse more streams in a direction than the chip has."""
    for cycle, east, west in _streams_over_time(steps):
        if max(east, west) > resources.streams:
            raise violation(
                "too many streams",
                f"{where}: {east} east and {west} west at cycle {cycle}, and there are "
                f"{resources.streams} each way; use fewer tensor members or a shorter "
                f"context",
            )


def _streams_over_time(
    steps: tuple[SliceInstruction, ...],
) -> list[tuple[int, int, int]]:
    """Return each cycle of a change, with the streams east and west from then on."""
    changes: defaultdict[int, list[int]] = defaultdict(lambda: [0, 0])
    for step in steps:
        end = step.start_cycle + step.duration_cycles
        for cycle, sign in ((step.start_cycle, 1), (end, -1)):
            changes[cycle][0] += sign * step.east
            changes[cycle][1] += sign * step.west
    uses, east, west = [], 0, 0
    for cycle in sorted(changes):
        east += changes[cycle][0]
        west += changes[cycle][1]
        uses.append((cycle, east, west))
    return uses


def last_cycle(kind: OperatorKind) -> int:
    """Return the cycle at which a kind's last slice ends, for the length rule.

    It counts from the start of the kind.
    """
    return max(step.start_cycle + step.duration_cycles for step in kind.steps)


def busiest(kind: OperatorKind) -> tuple[int, int]:
    """Return a kind's most streams at a time, east and west, for the stream rule."""
    uses = _streams_over_time(kind.steps)
    return max(east for _, east, _ in uses), max(west for _, _, west in uses)
