"""Energy of a program: what its instructions and trains take on each chip."""

from dataclasses import dataclass
from typing import NamedTuple, final

import numpy as np

from chip.operator_work import LoadWork, ProductWork
from chip.program import Instructions, Opcode, OperatorKind, Program, Trains
from compiler.energy.operation_energy import (
    OperationEnergy,
    operator_energy,
    vector_energy,
    wire_energy,
)
from compiler.ir.program_emission import Emitted
from specs.arrays import Floats, Ints
from specs.machine import MachineSpec
from topologies.topology import Topology


class ChipPeak(NamedTuple):
    """Peak of a chip: dynamic power of the operators that draw the most, in W.

    Attributes
    ----------
    operator
        While a product or a vector operator runs.
    load
        While weights are loaded ahead, beside it.
    """

    operator: float
    load: float


@final
@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class ProgramEnergy:
    """Dynamic energy of one iteration of a program.

    Parameters
    ----------
    per_chip_j
        Energy of each chip by part, shape ``(chips, parts)``; the parts are the fields
        of `OperationEnergy`. The energy of a link is that of the chip that sends.
    powered
        Whether a chip has an instruction, shape ``(chips,)``.
    peak
        Of the operators of the program.
    """

    per_chip_j: Floats
    powered: np.ndarray[tuple[int], np.dtype[np.bool_]]
    peak: ChipPeak

    @property
    def total(self) -> OperationEnergy:
        """Return the energy of all chips by part."""
        return OperationEnergy(*(float(part) for part in self.per_chip_j.sum(axis=0)))


def program_energy(
    program: Program | Emitted, topology: Topology, machine: MachineSpec
) -> ProgramEnergy:
    """Return the dynamic energy of one iteration of a program.

    Parameters
    ----------
    program
        A program, or the instructions and trains of one.
    topology
        Ends of the links.
    machine
        Energies of operations, and the clock.
    """
    instructions, kinds = program.instructions, program.kinds
    chips = topology.chips
    energies = [operator_energy(kind, machine.power) for kind in kinds]
    executed = _executions(instructions, kinds, chips)
    joules: Floats = np.zeros((chips, len(OperationEnergy._fields)))
    for number, energy in enumerate(energies):
        joules += executed[:, number, None] * np.array(energy)
    joules += _transport_energy(program.trains, topology, machine)
    powered = np.zeros(chips, dtype=bool)
    powered[instructions.chip] = True
    return ProgramEnergy(
        per_chip_j=joules,
        powered=powered,
        peak=_peak(kinds, energies, machine.chip.clock_hz),
    )


def _executions(
    instructions: Instructions, kinds: tuple[OperatorKind, ...], chips: int
) -> Ints:
    """Return how often each chip executes each kind, shape ``(chips, kinds)``."""
    product = np.array([isinstance(kind.work, ProductWork) for kind in kinds], bool)
    # A product also has an instruction that reads its matrix.
    own = np.flatnonzero(instructions.kind >= 0)
    kind = instructions.kind[own]
    reads = (instructions.opcode[own] == Opcode.READ) & product[kind]
    own, kind = own[~reads], kind[~reads]
    at = instructions.chip[own].astype(np.int64) * len(kinds) + kind
    counts: Ints = np.bincount(at, minlength=chips * len(kinds)).astype(np.int64)
    return counts.reshape(chips, len(kinds))


def _transport_energy(
    trains: Trains, topology: Topology, machine: MachineSpec
) -> Floats:
    """Return the energy of a program's trains by chip and part.

    The first hop reads SRAM, the last one writes it; between them vectors pass a chip
    from port to port.
    """
    power, link = machine.power, machine.link
    first = trains.previous < 0
    last = np.ones(len(trains), dtype=bool)
    last[trains.previous[~first]] = False
    source, target = topology.source[trains.link], topology.target[trains.link]
    joules: Floats = np.zeros((topology.chips, len(OperationEnergy._fields)))
    for energy, chip, which in (
        (vector_energy(power, link.vector_bytes, read=True), source, first),
        (vector_energy(power, link.vector_bytes, read=False), target, last),
        (wire_energy(power, link), source, np.ones(len(trains), dtype=bool)),
    ):
        vectors = np.bincount(
            chip[which], weights=trains.vectors[which], minlength=topology.chips
        )
        joules += vectors[:, None] * np.array(energy)
    return joules


def _peak(
    kinds: tuple[OperatorKind, ...], energies: list[OperationEnergy], clock_hz: int
) -> ChipPeak:
    """Return the dynamic power of the operators of a program that draw the most."""
    drawn = {True: 0.0, False: 0.0}
    for kind, energy in zip(kinds, energies, strict=True):
        ends = (step.start_cycle + step.duration_cycles for step in kind.steps)
        cycles = max(ends, default=0)
        if cycles:
            loads = isinstance(kind.work, LoadWork)
            drawn[loads] = max(drawn[loads], energy.total * clock_hz / cycles)
    return ChipPeak(operator=drawn[False], load=drawn[True])
