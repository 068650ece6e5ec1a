"""What the FEC decoders meet on every link, iteration by iteration."""

from dataclasses import dataclass
from typing import NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from chip.program import Program
from fabric.faults.fault_script import Outages
from fabric.links.error_model import codeword_outcome, damage_odds
from fabric.links.fec import codewords
from fabric.links.rare_events import Trials, hits, trials
from fabric.random_streams import Draws, Stream
from specs.arrays import Ints
from specs.machine import MachineSpec


class Corrected(NamedTuple):
    """Trains with repaired codewords, ascending, and how many each has."""

    trains: Ints
    codewords: Ints

    def without(self, trains: Ints) -> "Corrected":
        """Return the rest: nothing is decoded of trains that never come."""
        rest = ~np.isin(self.trains, trains)
        return Corrected(self.trains[rest], self.codewords[rest])


@final
@dataclass(frozen=True, slots=True, eq=False)
class _Odds:
    """What may happen in an iteration: to each codeword, and to each train."""

    corrected: Trials
    uncorrectable: Trials


@final
class LinkErrors:
    """Bit errors of all trains, by the link's error model; trains are independent.

    Drawn by iteration, so that no order matters.

    Parameters
    ----------
    machine
        Code and bit error rate.
    program
        The trains.
    draws
        The source of chance.
    outages
        Bit error rates that a fault script sets.
    """

    def __init__(
        self, machine: MachineSpec, program: Program, draws: Draws, outages: Outages
    ) -> None:
        self._machine = machine
        self._program = program
        self._draws = draws
        self._rates = outages.rates
        self._codewords = codewords(
            machine.fec.parameters, program.trains.vectors, machine.link.vector_bytes
        )
        self._known_odds: dict[bytes, _Odds] = {}
        self._usual_ber = np.full(len(program.trains), machine.link.ber)
        self._usual = self._odds(self._usual_ber)

    def damaged(self, event: int, base_cycle: int) -> Ints:
        """Return the trains with a codeword that cannot be repaired, ascending.

        Parameters
        ----------
        event
            Number of the iteration, over all sequences and stints.
        base_cycle
            Program cycle at which it begins.
        """
        odds = self._at(base_cycle).uncorrectable
        return hits(self._draws, Stream.UNCORRECTABLE, event, odds)

    def corrected(self, event: int, base_cycle: int) -> Corrected:
        """Return the trains with repaired codewords; parameters as in `damaged`."""
        odds = self._at(base_cycle).corrected
        found = hits(self._draws, Stream.CORRECTED, event, odds)
        if not len(found):
            return Corrected(found, found)
        return Corrected(*np.unique(found, return_counts=True))

    def _at(self, base_cycle: int) -> _Odds:
        """Return the odds in an iteration, which a fault script may have changed."""
        end_cycle = base_cycle + self._program.token_cycles
        changes = [
            change
            for change in self._rates
            if change.begin_cycle < end_cycle and change.end_cycle > base_cycle
        ]
        if not changes:
            return self._usual
        trains = self._program.trains
        at = base_cycle + trains.wire_cycle
        ber = self._usual_ber.copy()
        for change in changes:
            within = (at >= change.begin_cycle) & (at < change.end_cycle)
            ber[within & (trains.link == change.link)] = change.ber
        return self._odds(ber)

    def _odds(self, ber: NDArray[np.float64]) -> _Odds:
        """Return the odds at a bit error rate of each train."""
        key = ber.tobytes()
        if key not in self._known_odds:
            corrected, uncorrectable = np.zeros_like(ber), np.zeros_like(ber)
            for rate in np.unique(ber).tolist():
                rows = ber == rate
                faulty = self._machine.with_settings({"link.ber": rate}, "fault script")
                corrected[rows] = codeword_outcome(faulty).corrected
                uncorrectable[rows] = damage_odds(faulty, self._codewords[rows])
            self._known_odds[key] = _Odds(
                trials(self._codewords, corrected),
                trials(np.ones_like(self._codewords), uncorrectable),
            )
        return self._known_odds[key]
