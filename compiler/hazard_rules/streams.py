"""Stream rules: operators and trains that overlap share streams and weight buffers.

For `compiler.verify`; independent of the code that makes programs. The slice rules
check each kind of operator once; these rules check instructions that run at the same
time, and the order of weight loads.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from chip.functional_units import SlicePort, inventory
from chip.operator_work import LoadWork, LookupWork, ProductWork
from chip.program import Opcode, Program, Slice
from compiler.hazard_rules.slices import busiest, last_cycle
from compiler.hazard_rules.structure import cycles_per_vector, in_period, violation
from specs.arrays import Ints, row_order
from specs.machine import MachineSpec

# Weights arrive in the buffers at fractional bytes per cycle.
_ROUNDING_BYTES = 1.0


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
        ends = [step.start_cycle + step.duration_cycles for step in streamed]
        reading[number] = max(ends, default=0) - begin
    weights = _is_kind(program, ProductWork, LoadWork)[code.kind[rows]]
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


def check_loads(program: Program) -> int:
    """Prefetch hazard rule: refuse weights loaded ahead but not there.

    The weights loaded ahead of a product are those that it does not load itself.
    Between such a load and its product, no other operator loads weights.
    """
    code = program.instructions
    rows = np.flatnonzero(_is_kind(program, ProductWork, LoadWork)[code.kind])
    rows = rows[(code.slice[rows] == Slice.MEM) & (code.kind[rows] >= 0)]
    if not len(rows):
        return 0
    fed = np.array([_fed_ahead(kind.work) for kind in program.kinds], dtype=np.int64)
    operators = int(code.operator.max()) + 1
    key = code.chip[rows].astype(np.int64) * operators + code.operator[rows]
    keys, place = np.unique(key, return_inverse=True)
    # A load adds its bytes, a product subtracts those it relies on.
    balance = np.bincount(place, weights=fed[code.kind[rows]])
    if balance.any():
        on_chip, ahead_of = divmod(int(keys[np.flatnonzero(balance)[0]]), operators)
        raise violation(
            "what is loaded ahead is not what a product relies on",
            f"chip {on_chip}, operator {ahead_of}: {int(balance[balance != 0][0]):,} "
            f"bytes too many",
        )
    start = in_period(program, code.start_cycle[rows])
    chips = np.tile(code.chip[rows], program.sequences)
    operator = np.tile(code.operator[rows], program.sequences)
    loads = np.tile(code.opcode[rows] == Opcode.LOAD, program.sequences)
    order = row_order(chips, start)
    chips, operator, loads = chips[order], operator[order], loads[order]
    following = np.roll(np.arange(len(order)), -1)
    last = np.flatnonzero(np.diff(chips, append=-1))
    following[last] = np.concatenate([[0], last[:-1] + 1])
    lost = loads & (operator != operator[following])
    if lost.any():
        at = int(np.flatnonzero(lost)[0])
        raise violation(
            "weights loaded ahead are lost",
            f"chip {chips[at]} loads for operator {operator[at]} at cycle "
            f"{start[order][at]}, but operator {operator[following[at]]} loads next",
        )
    return len(order)


def check_buffers(program: Program, machine: MachineSpec) -> int:
    """Buffer hazard rule: refuse more weights than the buffers hold.

    Between the start and the end of an instruction weights move at a constant rate.
    """
    code, kinds = program.instructions, program.kinds
    rows = np.flatnonzero(_is_kind(program, ProductWork, LoadWork)[code.kind])
    begins = np.isin(code.opcode[rows], (Opcode.MATMUL, Opcode.LOAD))
    rows = rows[begins & (code.kind[rows] >= 0)]
    chips, cycles, rates = [], [], []
    for number in np.unique(code.kind[rows]).tolist():
        own = rows[code.kind[rows] == number]
        for step in kinds[number].steps:
            sign = {SlicePort.MXM_LOAD: 1, SlicePort.MXM_INSTALL: -1}.get(step.port, 0)
            if sign:
                rate = sign * step.bytes / step.duration_cycles
                start = code.start_cycle[own] + step.start_cycle
                chips += [code.chip[own], code.chip[own]]
                cycles += [start, start + step.duration_cycles]
                rates += [np.full(len(own), rate), np.full(len(own), -rate)]
    if not chips:
        return 0
    chip, cycle, rate = (np.concatenate(part) for part in (chips, cycles, rates))
    order = row_order(chip, cycle)
    chip, cycle, rate = chip[order], cycle[order], np.cumsum(rate[order])
    # Bytes that move between two events; in the end all have been installed.
    gone = np.append(np.diff(cycle), 0)
    gone[np.flatnonzero(np.diff(chip))] = 0
    held = np.concatenate([[0.0], np.cumsum(rate * gone)[:-1]])
    room = inventory(machine.chip).buffer_bytes
    wrong = (held > room + _ROUNDING_BYTES) | (held < -_ROUNDING_BYTES)
    if wrong.any():
        at = int(np.flatnonzero(wrong)[0])
        raise violation(
            "weight buffers hold too much or too little",
            f"chip {chip[at]} MXM: {held[at]:,.0f} bytes at cycle {cycle[at]}, and the "
            f"buffers hold {room:,}",
        )
    return len(cycle)


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

    An operator counts with its busiest cycle throughout, a train with its rate.
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
    """Return the stream use of operators, from first read to last write."""
    code = program.instructions
    most = [busiest(kind) for kind in program.kinds]
    peak = np.array(most, dtype=np.int64).reshape(-1, 2).T * machine.chip.lanes
    whole = np.isin(code.opcode, (Opcode.MATMUL, Opcode.VECTOR, Opcode.LOAD))
    whole |= (code.opcode == Opcode.READ) & _is_kind(program, LookupWork)[code.kind]
    rows = np.flatnonzero(whole & (code.kind >= 0))
    start = code.start_cycle[rows]
    return _Use(
        code.chip[rows].astype(np.int64),
        start,
        start + code.duration_cycles[rows],
        peak[:, code.kind[rows]],
    )


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


def _is_kind(program: Program, *works: type) -> NDArray[np.bool_]:
    """Return a flag for each kind whose work is of a type; the last is for no kind."""
    flags = [isinstance(kind.work, works) for kind in program.kinds]
    return np.array([*flags, False], dtype=bool)


def _fed_ahead(work: object) -> int:
    """Return the bytes that a load adds, or minus those a product relies on."""
    if isinstance(work, LoadWork):
        return work.fed_bytes
    return -work.preloaded_bytes if isinstance(work, ProductWork) else 0
