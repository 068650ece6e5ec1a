"""Exchange selection: the fastest algorithm of an exchange, and its additions."""

from typing import final

import numpy as np

from chip.operator_cycles import work_cycles
from chip.operator_work import adding
from compiler.collectives.exchange_phases import Phase, exchange_candidates
from compiler.ir.transfers import TransferModel
from sharding.operators.operators import Compute, Exchange, Unit
from specs.arrays import Ints
from specs.machine import MachineSpec
from specs.units import BITS_PER_BYTE
from topologies.topology import Topology


@final
class ExchangeSelector:
    """Selection of the fastest algorithm of an exchange among given chips.

    Parameters
    ----------
    topology, machine
        Positions of the chips, and the chips that add partial sums.
    transfers
        Transfer model that times the messages.
    width
        Chips of the tensor group.
    """

    def __init__(
        self,
        topology: Topology,
        machine: MachineSpec,
        transfers: TransferModel,
        *,
        width: int,
    ) -> None:
        self._topology = topology
        self._machine = machine
        self._transfers = transfers
        self._width = width
        self._additions: dict[tuple[int, int], Compute] = {}

    def fastest(self, exchange: Exchange, chips: Ints) -> tuple[Phase, ...]:
        """Return the phases of the fastest algorithm for `exchange` among `chips`."""
        algorithms = exchange_candidates(self._topology, exchange, chips)
        return min(algorithms, key=self._cycles) if algorithms[1:] else algorithms[0]

    def longest_cycles(self, phases: tuple[Phase, ...]) -> int:
        """Return the transfer time of the longest phase, in cycles."""
        return max(
            (
                self._transfers.transport(phase.messages).duration_cycles
                for phase in phases
            ),
            default=0,
        )

    def added_up(self, phase: Phase) -> Compute:
        """Return the addition of the partial sums after `phase`, for every chip."""
        key = (phase.reduced_bytes, phase.summands)
        if key not in self._additions:
            bits = self._machine.formats.activations.bits
            elements = phase.reduced_bytes * BITS_PER_BYTE // bits
            work = adding(elements, bits, phase.summands)
            cycles = np.full(self._width, work_cycles(self._machine.chip, work))
            works = (work,) * self._width
            self._additions[key] = Compute("add_up", Unit.VECTOR, works, cycles, cycles)
        return self._additions[key]

    def _cycles(self, phases: tuple[Phase, ...]) -> int:
        """Return the cycles of all phases with their additions, one after another."""
        return sum(
            self._transfers.transport(phase.messages).duration_cycles
            + int(self.added_up(phase).cycles[0])
            for phase in phases
        )
