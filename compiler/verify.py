"""An independent check of a program against the machine's rules.

This module and the rules it applies share no code with the rest of the compiler: they
read the finished program and work everything out anew from the machine and the wiring.
Each rule either holds for every instruction and every vector, under every jitter and
drift the machine's numbers allow, or the first counter-example is named.
"""

import hashlib
from dataclasses import dataclass
from enum import IntEnum
from typing import final

import numpy as np

from chip.program import Program
from compiler.rules.memory import check_memory, check_operands, check_text
from compiler.rules.slices import check_amounts, check_kinds
from compiler.rules.streams import (
    check_buffers,
    check_lengths,
    check_loads,
    check_streams,
)
from compiler.rules.structure import (
    check_ends,
    check_exclusive,
    check_operators,
    check_outage,
    check_routes,
)
from compiler.rules.timing import check_deskews, check_fifos, check_receives
from specs.machine import MachineSpec
from topologies.outage import NO_OUTAGE, Outage
from topologies.routing.spanning_tree import alignment_tree
from topologies.topology import Topology


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """That a program keeps every rule, and how often each was tried.

    Parameters
    ----------
    digest
        SHA-256 of the program's columns, the first 16 hexadecimal digits.
    checks
        How many cases each rule was applied to.
    """

    digest: str
    checks: dict[str, int]

    def __str__(self) -> str:
        """Return digest and number of cases in one line."""
        return f"{self.digest} ({sum(self.checks.values()):,} checks)"


def verify(
    program: Program,
    topology: Topology,
    machine: MachineSpec,
    outage: Outage = NO_OUTAGE,
) -> Certificate:
    """Return a certificate that `program` holds on `machine`.

    Parameters
    ----------
    program
        What the chips execute.
    topology
        The wiring.
    machine
        Chip, links, clocks.
    outage
        What of the machine is out of order.

    Raises
    ------
    VerificationError
        If a rule is broken; the message names chip or link, cycle and number.
    """
    # First, since what is out of order can be no root of a tree either.
    checks = {
        "what is out of order does nothing": check_outage(program, topology, outage)
    }
    height = alignment_tree(topology, machine, program.leader, outage).height
    checks |= {
        "trains ride the links they name": check_ends(program, topology, machine),
        "no slice or port is used twice": check_exclusive(program),
        "operators follow each other": check_operators(program, machine),
        "forwards follow their receives": check_routes(program, topology, machine),
        "vectors are there when received": check_receives(
            program, topology, machine, height
        ),
        "receive FIFOs never overflow": check_fifos(program, topology, machine, height),
        "deskews disturb nothing": check_deskews(program, machine, height),
        "slices of an operator do one thing at a time": check_kinds(program, machine),
        "slices move and multiply what is asked": check_amounts(program, machine),
        "operators last as long as their slices": check_lengths(program),
        "weights loaded ahead are for the next product": check_loads(program),
        "weight buffers hold what is loaded": check_buffers(program, machine),
        "streams carry all that meets": check_streams(program, machine),
        "program text fits": check_text(program, machine),
        "operands fit": check_operands(program, machine),
        "SRAM holds all, at any time": check_memory(program, machine),
    }
    return Certificate(digest=digest(program), checks=checks)


def digest(program: Program) -> str:
    """Return a hash of the program: the same for the same instructions and trains."""
    state = hashlib.sha256()
    for table in (program.instructions, program.trains, program.deskews):
        for name in sorted(table.__slots__):
            column = getattr(table, name)
            if isinstance(column, np.ndarray):
                state.update(np.ascontiguousarray(column, dtype=np.int64).tobytes())
    state.update(repr(_values(program.kinds)).encode())
    for column in program.resident:
        state.update(column.tobytes())
    state.update(f"{program.period_cycles} {program.interval_cycles}".encode())
    return state.hexdigest()[:16]


def _values(record: object) -> object:
    """Return the numbers of nested records, without the names of classes and fields.

    Works of different kinds are told apart by their fields' number and by the slices
    they are lowered to, so that a renamed class does not change the hash.
    """
    if isinstance(record, tuple):
        return tuple(_values(each) for each in record)
    return int(record) if isinstance(record, IntEnum) else record
