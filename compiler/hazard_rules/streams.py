"""Stream rules: operators and trains that overlap share the streams of a chip.

For `compiler.verify`; independent of the code that makes programs. The slice rules
check each kind of operator once; these rules check instructions that run at the same
time.
"""

import math
from typing import NamedTuple

import numpy as np

from chip.functional_units import SlicePort, inventory
from chip.operator_work import LoadWork, LookupWork, ProductWork
from chip.program import Opcode, Program, Slice
from compiler.hazard_rules.slices import last_cycle, phases
from compiler.hazard_rules.structure import (
    cycles_per_vector,
    in_period,
    is_kind,
    violation,
)
from specs.arrays import Ints, row_order
from specs.machine import MachineSpec


def check_lengths(program: Program) -> int:
    """Length hazard rule: refuse an operator that is not as long as its slices need."""
    code = program.instructions
    rows = np.flatnonzero(code.kind >= 0)
    if not len(rows):
        return 0
    whole, reading = (np.zeros(len(program.kinds), dtype=np.int64) for _ in range(2))
    for number, described in enumerate(program.kinds):
        whole[number] = last_cycle(described)
        streamed = [step for step in described.steps if step.port is SlicePort.MXM_LOAD]
        begin = min((step.start_cycle for step in streamed), default=0)
        ends = [step.end_cycle - begin for step in streamed]
        # Vectors stream from the begin on; operands of a chain are read afterwards.
        ends += [
            step.end_cycle
            for step in described.steps
            if step.port is SlicePort.MEM_READ and step.start_cycle == 0
        ]
        reading[number] = max(ends, default=0)
    weights = is_kind(program, ProductWork, LoadWork)[code.kind[rows]]
    weights &= code.slice[rows] == Slice.MEM
    kind, takes = code.kind[rows], code.duration_cycles[rows]
    wrong = np.where(weights, takes < reading[kind], takes != whole[kind])
    if wrong.any():
        at = int(np.flatnonzero(wrong)[0])
        wanted = int((reading if weights[at] else whole)[kind[at]])
        raise violation(
            "an operator is not as long as what its slices do",
            f"chip {code.chip[rows[at]]} {Slice(int(code.slice[rows[at]])).name} is "
            f"taken for {takes[at]} cycles at cycle {code.start_cycle[rows[at]]}, and "
            f"kind {kind[at]} takes {wanted}",
        )
    return len(rows)


class _Use(NamedTuple):
    """Stream use of instructions, in bytes per cycle while they last.

    `rate` has the shape ``(2, instructions)``: east, west.
    """

    chip: Ints
    start: Ints
    end: Ints
    rate: Ints


def check_streams(program: Program, machine: MachineSpec) -> int:
    """Stream hazard rule: refuse more bytes per cycle than a chip's streams carry.

    A phase of an operator counts with its busiest cycle throughout, a train with its
    rate.
    """
    resources = inventory(machine.chip)
    limit = resources.streams * resources.stream_bytes
    operators, trains = _operators(program, machine), _trains(program, machine)
    # Shortcut: with all ports busy throughout, operators usually still fit.
    ports = machine.chip.ports * int(trains.rate.max(initial=0))
    _, _, carried = _over_time(program, operators)
    if carried.max(initial=0) + ports > limit:
        both = _Use(
            *(
                np.concatenate(columns, axis=-1)
                for columns in zip(operators, trains, strict=True)
            )
        )
        chip, cycle, carried = _over_time(program, both)
        if carried.max() > limit:
            side, at = np.unravel_index(int(carried.argmax()), carried.shape)
            raise violation(
                "streams are taken twice",
                f"chip {chip[at]}: {int(carried.max()):,} bytes "
                f"{('east', 'west')[side]} at cycle {cycle[at]}, and "
                f"{resources.streams} streams carry {limit:,}",
            )
    return len(operators.chip) + len(trains.chip)


def _over_time(program: Program, use: _Use) -> tuple[Ints, Ints, Ints]:
    """Return chip and cycle of each change, and the bytes per cycle from then on."""
    times = program.sequences
    start = in_period(program, use.start)
    end = start + np.tile(use.end - use.start, times)
    chip, rate = np.tile(use.chip, times), np.tile(use.rate, times)
    # A use that runs past the end of the period continues at its beginning.
    late = end > program.period_cycles
    start = np.concatenate([start, 0 * start[late]])
    end = np.concatenate([end, end[late] - program.period_cycles])
    chip = np.concatenate([chip, chip[late]])
    rate = np.concatenate([rate, rate[:, late]], axis=1)
    chip, cycle = np.concatenate([chip, chip]), np.concatenate([end, start])
    # Ends are listed before starts of the same cycle; the stable sort keeps that.
    order = row_order(chip, cycle)
    carried = np.cumsum(np.concatenate([-rate, rate], axis=1)[:, order], axis=1)
    return chip[order], cycle[order], carried


def _operators(program: Program, machine: MachineSpec) -> _Use:
    """Return the stream use of each phase of operators."""
    code = program.instructions
    whole = np.isin(code.opcode, (Opcode.MATMUL, Opcode.VECTOR, Opcode.LOAD))
    whole |= (code.opcode == Opcode.READ) & is_kind(program, LookupWork)[code.kind]
    rows = np.flatnonzero(whole & (code.kind >= 0))
    per_kind = [phases(kind) for kind in program.kinds]
    columns: list[list[Ints]] = [[], [], [], []]
    for place in range(max((len(each) for each in per_kind), default=0)):
        has = np.array([len(each) > place for each in per_kind])
        table = np.array(
            [each[place] if len(each) > place else (0, 0, 0, 0) for each in per_kind],
            dtype=np.int64,
        )
        own = rows[has[code.kind[rows]]]
        phase = table[code.kind[own]]
        columns[0].append(code.chip[own].astype(np.int64))
        columns[1].append(code.start_cycle[own] + phase[:, 0])
        columns[2].append(code.start_cycle[own] + phase[:, 1])
        columns[3].append(phase[:, 2:].T * machine.chip.lanes)
    none = [np.zeros(0, dtype=np.int64)] * 3 + [np.zeros((2, 0), dtype=np.int64)]
    chip, start, end, rate = (
        np.concatenate([empty, *parts], axis=-1)
        for empty, parts in zip(none, columns, strict=True)
    )
    return _Use(chip, start, end, rate)


def _trains(program: Program, machine: MachineSpec) -> _Use:
    """Return the stream use of trains, with the cycles between SRAM and wire."""
    code = program.instructions
    rows = np.flatnonzero(code.train >= 0)
    comes = code.opcode[rows] == Opcode.RECEIVE
    goes = code.opcode[rows] == Opcode.SEND
    start = code.start_cycle[rows]
    end = start + code.duration_cycles[rows]
    vector = math.ceil(machine.link.vector_bytes / cycles_per_vector(machine))
    return _Use(
        code.chip[rows].astype(np.int64),
        start - goes * machine.chip.send_cycles,
        end + comes * machine.chip.receive_cycles,
        vector * np.stack([~comes, comes]).astype(np.int64),
    )
