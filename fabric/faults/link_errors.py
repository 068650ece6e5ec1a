"""Link errors of every iteration: corrected codewords and damaged trains."""

from dataclasses import dataclass
from typing import NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from chip.program import Program
from fabric.faults.fault_script import Outages
from fabric.links.error_model import codeword_outcome, uncorrectable_odds
from fabric.links.fec import codewords
from fabric.links.rare_events import Trials, hits, trials
from fabric.random_streams import Draws, Stream
from specs.arrays import Ints
from specs.machine import MachineSpec


class Corrected(NamedTuple):
    """Corrected codewords: trains that have any, ascending, and their numbers."""

    trains: Ints
    codewords: Ints

    def without(self, trains: Ints) -> "Corrected":
        """Return the corrected codewords without those of lost trains."""
        rest = ~np.isin(self.trains, trains)
        return Corrected(self.trains[rest], self.codewords[rest])


@final
@dataclass(frozen=True, slots=True, eq=False)
class _Odds:
    """Error probabilities of an iteration, by codeword and by train."""

    corrected: Trials
    uncorrectable: Trials


@final
class LinkErrors:
    """Bit errors of all trains by the links' error model; trains are independent.

    Errors are drawn by iteration and do not depend on the order of iterations.

    Parameters
    ----------
    machine
        FEC code and bit error rate.
    program
        Program whose trains have errors.
    draws
        Random numbers of the run.
    outages
        Bit error rates of a fault script.
    """

    def __init__(
        self, machine: MachineSpec, program: Program, draws: Draws, outages: Outages
    ) -> None:
        self._machine = machine
        self._program = program
        self._draws = draws
        self._rates = outages.rates
        self._codewords = codewords(
            machine.fec.parameters, program.trains.vectors, machine.protected_bytes
        )
        self._known_odds: dict[bytes, _Odds] = {}
        self._default_ber = np.full(len(program.trains), machine.link.ber)
        self._default_odds = self._odds(self._default_ber)

    def damaged(self, event: int, base_cycle: int) -> Ints:
        """Return the trains with an uncorrectable codeword, ascending.

        Parameters
        ----------
        event
            Number of the iteration, over all sequences and segments.
        base_cycle
            Program cycle at which it begins.
        """
        odds = self._at(base_cycle).uncorrectable
        return hits(self._draws, Stream.UNCORRECTABLE, event, odds)

    def corrected(self, event: int, base_cycle: int) -> Corrected:
        """Return the corrected codewords; parameters as in `damaged`."""
        odds = self._at(base_cycle).corrected
        trains = hits(self._draws, Stream.CORRECTED, event, odds)
        if not len(trains):
            return Corrected(trains, trains)
        return Corrected(*np.unique(trains, return_counts=True))

    def _at(self, base_cycle: int) -> _Odds:
        """Return the probabilities of an iteration, also under a fault script."""
        end_cycle = base_cycle + self._program.token_cycles
        changes = [
            change
            for change in self._rates
            if change.begin_cycle < end_cycle and change.end_cycle > base_cycle
        ]
        if not changes:
            return self._default_odds
        trains = self._program.trains
        at = base_cycle + trains.wire_cycle
        ber = self._default_ber.copy()
        for change in changes:
            within = (at >= change.begin_cycle) & (at < change.end_cycle)
            ber[within & (trains.link == change.link)] = change.ber
        return self._odds(ber)

    def _odds(self, ber: NDArray[np.float64]) -> _Odds:
        """Return the probabilities at a bit error rate of each train."""
        key = ber.tobytes()
        if key not in self._known_odds:
            corrected, uncorrectable = np.zeros_like(ber), np.zeros_like(ber)
            for rate in np.unique(ber).tolist():
                rows = ber == rate
                faulty = self._machine.with_settings({"link.ber": rate}, "fault script")
                corrected[rows] = codeword_outcome(faulty).corrected
                uncorrectable[rows] = uncorrectable_odds(faulty, self._codewords[rows])
            self._known_odds[key] = _Odds(
                trials(self._codewords, corrected),
                trials(np.ones_like(self._codewords), uncorrectable),
            )
        return self._known_odds[key]
