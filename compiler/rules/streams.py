"""Rules of overlap: what meets on a chip leaves streams and weight buffers enough.

For `compiler.verify`, independent of the code that makes programs. Kinds of operators
are checked once each; here is checked what they do beside each other.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from chip.functional_units import SlicePort, inventory
from chip.operator_work import LoadWork, LookupWork, ProductWork
from chip.program import Opcode, Program, Slice
from compiler.rules.slices import busiest, last_cycle
from compiler.rules.structure import cycles_per_vector, in_period, violation
from specs.arrays import Ints
from specs.machine import MachineSpec

# Weights arrive in the buffers by fractions of a byte a cycle.
_ROUNDING_BYTES = 1.0


def check_lengths(program: Program) -> int:
    """Refuse an operator that is shorter or longer than what its slices do."""
    code = program.instructions
    rows = np.flatnonzero(code.kind >= 0)
    if not len(rows):
        return 0
    whole, reading = (np.zeros(len(program.kinds), dtype=np.int64) for _ in range(2))
    for number, described in enumerate(program.kinds):
        whole[number] = last_cycle(described)
        streamed = [step for step in described.steps if step.port is SlicePort.MXM_LOAD]
        reading[number] = max((step.duration_cycles for step in streamed), default=0)
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
    """Refuse weights loaded ahead that something else comes in between.

    What was loaded for a product is what the product does not load itself, and nothing
    but the rest of it goes into the buffers before the product starts.
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
    # A load counts what it brings, a product what it relies on, with the other sign.
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
    order = np.lexsort((start, chips))
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
    """Refuse more weights in the buffers than they hold, or fewer than installed.

    Between two instructions' starts and ends weights come and go at even rates.
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
    order = np.lexsort((cycle, chip))
    chip, cycle, rate = chip[order], cycle[order], np.cumsum(rate[order])
    # What changes on the way from one event to the next; all is installed in the end.
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
    """Bytes a cycle of a chip's streams that instructions take while they last.

    `rate` has the shape ``(2, instructions)``: eastward, westward.
    """

    chip: Ints
    start: Ints
    end: Ints
    rate: Ints


def check_streams(program: Program, machine: MachineSpec) -> int:
    """Refuse more bytes on a chip's streams in a cycle than they carry.

    An operator counts with its busiest cycle throughout, a train with its rate.
    """
    there = inventory(machine.chip)
    limit = there.streams * there.stream_bytes
    operators, trains = _operators(program, machine), _trains(program, machine)
    # With all ports busy throughout there mostly is room for all operators.
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
            way, at = np.unravel_index(int(carried.argmax()), carried.shape)
            raise violation(
                "streams are taken twice",
                f"chip {chip[at]}: {int(carried.max()):,} bytes "
                f"{('east', 'west')[way]} at cycle {cycle[at]}, and {there.streams} "
                f"streams carry {limit:,}",
            )
    return len(operators.chip) + len(trains.chip)


def _over_time(program: Program, use: _Use) -> tuple[Ints, Ints, Ints]:
    """Return chip, cycle, and the bytes each way from then on, of all sequences."""
    times = program.sequences
    start = in_period(program, use.start)
    end = start + np.tile(use.end - use.start, times)
    chip, rate = np.tile(use.chip, times), np.tile(use.rate, times)
    # What runs past the period's end is there at its beginning too.
    late = end > program.period_cycles
    start = np.concatenate([start, 0 * start[late]])
    end = np.concatenate([end, end[late] - program.period_cycles])
    chip = np.concatenate([chip, chip[late]])
    rate = np.concatenate([rate, rate[:, late]], axis=1)
    chip, cycle = np.concatenate([chip, chip]), np.concatenate([end, start])
    # What ends in a cycle is listed before what starts in it, and sorting keeps that.
    order = np.lexsort((cycle, chip))
    carried = np.cumsum(np.concatenate([-rate, rate], axis=1)[:, order], axis=1)
    return chip[order], cycle[order], carried


def _operators(program: Program, machine: MachineSpec) -> _Use:
    """Return what each operator takes, from its first read to its last write."""
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
    """Return what each train takes; between SRAM and wire it is on a stream too."""
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
    """Return which kinds are of some works; the last entry stands for no kind."""
    found = [isinstance(kind.work, works) for kind in program.kinds]
    return np.array([*found, False], dtype=bool)


def _fed_ahead(work: object) -> int:
    """Return the bytes that a load brings, or a product relies on as negative."""
    if isinstance(work, LoadWork):
        return work.fed_bytes
    return -work.preloaded_bytes if isinstance(work, ProductWork) else 0
