"""Structure rules: ends of trains, exclusive use of slices, order of operators.

For `compiler.verify`; independent of the code that makes programs.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from chip.program import Opcode, Program, Slice
from compiler.hazard_rules.independence import first_dependent, passes_of
from compiler.hazard_rules.pipeline import follows_in_pipeline
from specs.arrays import Ints, row_order
from specs.errors import VerificationError
from specs.machine import MachineSpec
from topologies.outage import Outage
from topologies.topology import Topology


def violation(rule: str, detail: str) -> VerificationError:
    """Return the verification error for a broken `rule` of valid programs."""
    return VerificationError(f"{rule}: {detail}")


def in_period(program: Program, start: Ints) -> Ints:
    """Return the start cycles of sequences modulo the period, for rules to check.

    They are sequence-major.
    """
    shifts = program.interval_cycles * np.arange(program.sequences)
    return ((start[None, :] + shifts[:, None]) % program.period_cycles).ravel()


def is_kind(program: Program, *works: type) -> NDArray[np.bool_]:
    """Return a flag for each kind whose work is of a type, for other rules.

    The last flag is for no kind.
    """
    flags = [isinstance(kind.work, works) for kind in program.kinds]
    return np.array([*flags, False], dtype=bool)


def cycles_per_vector(machine: MachineSpec) -> float:
    """Return the serialisation time of a vector by which rules check, in cycles.

    The cycles are those of the nominal clock.
    """
    link, code = machine.link, machine.fec.parameters
    bits = link.wire_bytes * 8.0
    if not code.in_frame:
        bits = bits * code.codeword_symbols / code.data_symbols
    return bits * machine.chip.clock_hz / (link.rate_gbps * 10**9)


def check_outage(program: Program, topology: Topology, outage: Outage) -> int:
    """Outage hazard rule: refuse an instruction or a train on hardware out of order."""
    dead = np.flatnonzero(np.isin(program.instructions.chip, sorted(outage.chips)))
    if len(dead):
        row = int(dead[0])
        raise violation(
            "out of order",
            f"chip {program.instructions.chip[row]} has an instruction at cycle "
            f"{program.instructions.start_cycle[row]}",
        )
    carries = np.flatnonzero(~outage.works(topology)[program.trains.link])
    if len(carries):
        train = int(carries[0])
        raise violation(
            "out of order",
            f"link {program.trains.link[train]} carries train {train} at cycle "
            f"{program.trains.wire_cycle[train]}",
        )
    return len(program.instructions) + len(program.trains)


def check_ends(program: Program, topology: Topology, machine: MachineSpec) -> int:
    """End hazard rule: refuse a train not sent and received once."""
    code = program.instructions
    trains = program.trains
    takes = np.ceil(trains.vectors * cycles_per_vector(machine) - 1e-6)
    for opcodes, ends, ports, what in (
        ((Opcode.SEND, Opcode.FORWARD), topology.source, topology.source_port, "sent"),
        ((Opcode.RECEIVE,), topology.target, topology.target_port, "received"),
    ):
        rows = np.flatnonzero(np.isin(code.opcode, opcodes))
        train = code.train[rows]
        if not np.array_equal(np.sort(train), np.arange(len(trains))):
            raise violation("a train", f"is not {what} exactly once")
        link = trains.link[train]
        wrong = (ends[link] != code.chip[rows]) | (ports[link] != code.port[rows])
        if wrong.any():
            row = rows[np.flatnonzero(wrong)[0]]
            raise violation(
                "wrong port",
                f"chip {code.chip[row]} port {code.port[row]} is not an end of link "
                f"{trains.link[code.train[row]]} (cycle {code.start_cycle[row]})",
            )
        cycle = trains.wire_cycle if what == "sent" else trains.receive_cycle
        moved = cycle[train] != code.start_cycle[rows]
        if moved.any():
            at = int(np.flatnonzero(moved)[0])
            raise violation(
                "a train",
                f"on link {link[at]} is {what} at cycle {code.start_cycle[rows[at]]}, "
                f"but says {cycle[train[at]]}",
            )
        short = code.duration_cycles[rows] < takes[train]
        if short.any():
            at = int(np.flatnonzero(short)[0])
            raise violation(
                "a train is cut short",
                f"on link {link[at]} {trains.vectors[train[at]]} vectors are {what} at "
                f"cycle {code.start_cycle[rows[at]]} in "
                f"{code.duration_cycles[rows[at]]} cycles, but take "
                f"{int(takes[train[at]])}",
            )
    return 2 * len(trains)


def by_start(
    program: Program,
    keys: Sequence[NDArray[np.integer]],
    start: Ints,
    cycles: Ints,
    *,
    beside: Sequence[NDArray[np.integer]] = (),
) -> tuple[list[NDArray[np.integer]], Ints, Ints]:
    """Return keys, starts and ends within the period, sorted, for rules to check.

    Parameters
    ----------
    program
        Program whose sequences repeat what is sorted.
    keys
        What is taken, such as a chip: the first to sort by, each of the shape
        ``(instructions,)``.
    start, cycles
        First cycle and number of cycles, of the same shape.
    beside
        What is not sorted by, of the same shape; returned behind the keys.
    """
    begin = in_period(program, start)
    end = begin + np.tile(cycles, program.sequences)
    columns = [np.tile(key, program.sequences) for key in (*keys, *beside)]
    # An instruction that runs past the end of the period continues at its beginning.
    late = end > program.period_cycles
    columns = [np.concatenate([key, key[late]]) for key in columns]
    begin = np.concatenate([begin, begin[late] - program.period_cycles])
    end = np.concatenate([end, end[late] - program.period_cycles])
    order = row_order(*columns[: len(keys)], begin)
    return [key[order] for key in columns], begin[order], end[order]


# Slice that executes each opcode.
_SLICES = {
    Opcode.READ: Slice.MEM,
    Opcode.MATMUL: Slice.MXM,
    Opcode.VECTOR: Slice.VXM,
    Opcode.SEND: Slice.C2C_OUT,
    Opcode.FORWARD: Slice.C2C_OUT,
    Opcode.RECEIVE: Slice.C2C_IN,
    Opcode.MARK: Slice.ICU,
    Opcode.LOAD: Slice.MEM,
}


def check_exclusive(program: Program) -> int:
    """Exclusion hazard rule: refuse two instructions at a time on a slice or port.

    An instruction takes the slice that executes its opcode, so none is elsewhere. A
    product may start while another drains, if no part of the MXM does both.
    """
    code = program.instructions
    able = np.array([_SLICES[opcode] for opcode in Opcode])[code.opcode]
    astray = np.flatnonzero(able != code.slice)
    if len(astray):
        row = int(astray[0])
        raise violation(
            "a slice does what it cannot",
            f"chip {code.chip[row]} {Slice(int(code.slice[row])).name} is to "
            f"{Opcode(int(code.opcode[row])).name} at cycle {code.start_cycle[row]}",
        )
    work = code.duration_cycles > 0
    keys: list[NDArray[np.integer]] = [
        column[work] for column in (code.port, code.slice, code.chip)
    ]
    (port, unit, chip, kind), start, end = by_start(
        program,
        keys,
        code.start_cycle[work],
        code.duration_cycles[work],
        beside=[code.kind[work]],
    )
    same = (chip[1:] == chip[:-1]) & (unit[1:] == unit[:-1]) & (port[1:] == port[:-1])
    clash = same & (end[:-1] > start[1:])
    drains = np.flatnonzero(clash & (unit[1:] == Slice.MXM))
    clash[drains] = ~follows_in_pipeline(
        program.kinds, kind[drains], kind[drains + 1], start[drains + 1] - start[drains]
    )
    # No more than two products are in the pipeline.
    clash[:-1] |= same[:-1] & same[1:] & (end[:-2] > start[2:])
    if clash.any():
        row = int(np.flatnonzero(clash)[0])
        raise violation(
            "a slice is used twice",
            f"chip {chip[row]} {Slice(int(unit[row])).name} port {port[row]} is busy "
            f"until cycle {end[row]} and starts again at cycle {start[row + 1]}",
        )
    return len(start)


def check_operators(program: Program, machine: MachineSpec) -> int:
    """Operator hazard rule: refuse an operator that starts too early.

    The operators of a pass follow each other on a chip, unless they take nothing of
    each other. Passes of one program, such as the chunks of a prompt, may alternate;
    what they have in common, the KV cache, has a dataflow rule.

    A result arrives in SRAM `receive_cycles` after its last vector has left the FIFO,
    and a vector must leave SRAM `send_cycles` before it enters the wire.
    """
    code = program.instructions
    # Weight prefetch has its own rule.
    others = np.isin(code.opcode, (Opcode.FORWARD, Opcode.LOAD))
    rows = np.flatnonzero((code.operator >= 0) & ~others)
    # A relayed train is no operand of this chip.
    previous = program.trains.previous
    passed_on = code.opcode[rows] == Opcode.RECEIVE
    passed_on[passed_on] = np.isin(code.train[rows[passed_on]], previous)
    rows = rows[~passed_on]
    start = code.start_cycle[rows].copy()
    start[code.opcode[rows] == Opcode.SEND] -= machine.chip.send_cycles
    end = code.start_cycle[rows] + code.duration_cycles[rows]
    # The last vector leaves the FIFO one serialisation time before the train ends.
    vector = math.ceil(cycles_per_vector(machine))
    end[code.opcode[rows] == Opcode.RECEIVE] += machine.chip.receive_cycles - vector
    of_pass = passes_of(program)[code.operator[rows]]
    order = row_order(code.chip[rows], of_pass, code.operator[rows])
    rows, of_pass = rows[order], of_pass[order]
    start, end = start[order], end[order]
    group = np.flatnonzero(
        np.diff(code.chip[rows], prepend=-1) | np.diff(code.operator[rows], prepend=-1)
    )
    if not len(group):
        return 0
    begins = np.minimum.reduceat(start, group)
    ends = np.maximum.reduceat(end, group)
    on_chip = code.chip[rows][group].astype(np.int64)
    number = code.operator[rows][group].astype(np.int64)
    turn = on_chip * (int(of_pass.max()) + 1) + of_pass[group]
    found = first_dependent(program, on_chip, number, (turn, begins, ends))
    if found is not None:
        at, before = found
        raise violation(
            "an operand is late",
            f"chip {on_chip[at]} starts operator {number[at]} at cycle {begins[at]} "
            f"but what it needs is there at {ends[before]}",
        )
    return len(group)


def check_routes(program: Program, topology: Topology, machine: MachineSpec) -> int:
    """Route hazard rule: refuse a relay hop of a train that has not arrived in full."""
    trains = program.trains
    later = np.flatnonzero(trains.previous >= 0)
    before = trains.previous[later]
    starts_at = topology.source[trains.link[later]]
    apart = topology.target[trains.link[before]] != starts_at
    apart |= trains.vectors[before] != trains.vectors[later]
    if apart.any():
        at = int(np.flatnonzero(apart)[0])
        raise violation(
            "a route is broken",
            f"train {later[at]} on link {trains.link[later[at]]} starts at chip "
            f"{starts_at[at]} at cycle {trains.wire_cycle[later[at]]}, but the hop "
            f"before does not bring it there",
        )
    link = machine.link
    means = np.array(link.jitter_mean_fraction)
    mean = link.latency_cycles + round(float(means.mean()) * link.jitter_cycles)
    inside = max(0, link.forward_cycles - mean)
    early = trains.wire_cycle[later] < trains.receive_cycle[before] + inside
    if early.any():
        at = int(np.flatnonzero(early)[0])
        raise violation(
            "a forward is early",
            f"train {later[at]} enters link {trains.link[later[at]]} at cycle "
            f"{trains.wire_cycle[later[at]]}, before the vector it forwards can be "
            f"there at {trains.receive_cycle[before[at]] + inside}",
        )
    return len(later)
