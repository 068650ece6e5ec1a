"""Losses of an iteration by outages: trains that never arrive, chips that stop."""

from typing import final

import numpy as np

from chip.program import Program
from fabric.faults.fault_script import Outages
from fabric.links.slack import tail_cycles
from specs.arrays import Ints
from specs.machine import MachineSpec
from topologies.topology import Topology


@final
class Losses:
    """Losses of an iteration as a function of the cycle at which it begins.

    A train or chip that has begun must also end: a train is lost by its last vector,
    and a chip halts by the last cycle of its instructions.

    Parameters
    ----------
    program, topology, machine
        Program, and the machine that executes it.
    outages
        Stopped chips and dead links, with their first cycles.
    """

    def __init__(
        self,
        program: Program,
        topology: Topology,
        machine: MachineSpec,
        outages: Outages,
    ) -> None:
        trains, code = program.trains, program.instructions
        self._sent_cycle = trains.wire_cycle + tail_cycles(trains.vectors, machine)
        self._train_ends_cycle = np.minimum(
            outages.dead_cycle[trains.link],
            outages.stop_cycle[topology.source[trains.link]],
        )
        # Instructions are sorted by chip.
        first = np.flatnonzero(np.diff(code.chip, prepend=-1))
        last_cycle = code.start_cycle + np.maximum(code.duration_cycles, 1) - 1
        self._chips = code.chip[first].astype(np.int64)
        self._last_cycle = np.maximum.reduceat(last_cycle, first)
        self._stop_cycle = outages.stop_cycle[self._chips]
        self._first_cycle = outages.first_loss_cycle - program.token_cycles

    def lost(self, base_cycle: int) -> Ints:
        """Return the trains that never arrive, ascending.

        Parameters
        ----------
        base_cycle
            Program cycle at which the iteration begins.
        """
        if base_cycle < self._first_cycle:
            return np.zeros(0, dtype=np.int64)
        return np.flatnonzero(base_cycle + self._sent_cycle >= self._train_ends_cycle)

    def halted(self, base_cycle: int) -> Ints:
        """Return the chips that stop before they end the iteration, ascending."""
        return self._chips[base_cycle + self._last_cycle >= self._stop_cycle]
