"""Memory rules: text, operands, relayed vectors and their sum fit each chip's SRAM.

For `compiler.verify`; independent of the code that makes programs.
"""

import numpy as np

from chip.program import Opcode, Program
from chip.sram_occupancy import activation_changes, held_over_time, repeated
from compiler.hazard_rules.structure import violation
from specs.arrays import row_order
from specs.machine import MachineSpec


def check_text(program: Program, machine: MachineSpec) -> int:
    """Text hazard rule: refuse more instructions than their SRAM holds."""
    count = np.bincount(program.instructions.chip, minlength=program.chips)
    size = count * machine.chip.instruction_bytes
    if size.max() > machine.chip.program_reserve_bytes:
        chip = int(size.argmax())
        raise violation(
            "program text is too long",
            f"chip {chip} needs {int(size[chip]):,} bytes and reserves "
            f"{machine.chip.program_reserve_bytes:,}; raise "
            f"chip.program_reserve_bytes",
        )
    return len(count)


def check_operands(program: Program, machine: MachineSpec) -> int:
    """Operand hazard rule: refuse operands or relayed vectors that exceed the SRAM.

    An operator starts when all its operands have arrived, so they are in SRAM at once.
    A relayed train is counted in full from its first vector to its last.
    """
    code, trains = program.instructions, program.trains
    room = machine.chip.sram_bytes - machine.chip.program_reserve_bytes
    passed_on = np.zeros(len(trains), dtype=bool)
    passed_on[trains.previous[trains.previous >= 0]] = True
    rows = np.flatnonzero(code.opcode == Opcode.RECEIVE)
    rows = rows[~passed_on[code.train[rows]]]
    if not len(rows):
        return len(code)
    operators = int(code.operator.max()) + 1
    key = code.chip[rows].astype(np.int64) * operators + code.operator[rows]
    keys, place = np.unique(key, return_inverse=True)
    vectors = np.bincount(place, weights=trains.vectors[code.train[rows]])
    size = vectors.astype(np.int64) * machine.link.vector_bytes
    if size.max() > room:
        chip, operator = divmod(int(keys[size.argmax()]), operators)
        first = int(code.start_cycle[rows[key == keys[size.argmax()]]].min())
        raise violation(
            "operands exceed the SRAM",
            f"chip {chip} receives {int(size.max()):,} bytes from cycle {first} on for "
            f"operator {operator}, but has room for {room:,}",
        )
    return len(keys) + check_waiting(program, machine, room)


def check_waiting(program: Program, machine: MachineSpec, room: int) -> int:
    """Relay hazard rule: refuse more relayed vectors at a time than fit SRAM.

    Parameters
    ----------
    program, machine
        Program, and the machine on which it must hold.
    room
        Bytes of SRAM beside the program.
    """
    code, trains = program.instructions, program.trains
    rows = np.flatnonzero(code.opcode == Opcode.FORWARD)
    train = code.train[rows]
    comes = trains.receive_cycle[trains.previous[train]]
    goes = code.start_cycle[rows] + code.duration_cycles[rows]
    change = trains.vectors[train].astype(np.int64) * machine.link.vector_bytes
    chip = np.concatenate([code.chip[rows], code.chip[rows]]).astype(np.int64)
    cycle = np.concatenate([comes, goes])
    change = np.concatenate([change, -change])
    # Every chip ends with nothing to relay, so one running sum serves all chips.
    order = row_order(chip, cycle, change)
    held = np.cumsum(change[order])
    if len(held) and held.max() > room:
        at = order[int(held.argmax())]
        raise violation(
            "what waits to be passed on exceeds the SRAM",
            f"chip {chip[at]} holds {int(held.max()):,} bytes at cycle {cycle[at]}, "
            f"but has room for {room:,}",
        )
    return len(rows)


def check_memory(program: Program, machine: MachineSpec) -> int:
    """SRAM hazard rule: refuse contents that exceed a chip's SRAM at any cycle."""
    kept = np.sum(program.resident, axis=0)
    changes = repeated(activation_changes(program, machine), program)
    chip, cycle, held = held_over_time(changes)
    room = machine.chip.sram_bytes - kept
    over = np.flatnonzero(room < 0)
    if len(over):
        full = int(over[0])
        raise violation(
            "SRAM is full",
            f"chip {full} keeps {int(kept[full]):,} bytes from cycle 0 on and has "
            f"{machine.chip.sram_bytes:,}",
        )
    full_rows = np.flatnonzero(held > room[chip])
    if len(full_rows):
        row = int(full_rows[0])
        raise violation(
            "SRAM is full",
            f"chip {chip[row]} keeps {int(kept[chip[row]]):,} bytes and holds "
            f"{int(held[row]):,} of activations at cycle {cycle[row]}, together more "
            f"than {machine.chip.sram_bytes:,}",
        )
    return len(held) + len(kept)
