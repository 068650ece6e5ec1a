"""Which iterations a run needs: tokens, and the replays of those that were damaged.

An uncorrectable error taints the token. At its end the runtime replays it, and it is
delivered once an attempt is clean. Errors are drawn for each attempt, so the whole
order of iterations is known before the run, to any engine.
"""

from dataclasses import dataclass
from typing import NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from chip.program import Program
from fabric.draws import Draws, Stream, component_keys, ordinals
from fabric.error_model import codeword_outcome, damage_odds
from fabric.fec import affected_codewords, codewords
from specs.machine import MachineSpec

Ints = NDArray[np.int64]

# A token that is damaged this often in a row is given up: the links are unusable.
_MOST_ATTEMPTS = 8


class Attempt(NamedTuple):
    """One iteration: its token, how often that was tried before, and what was damaged.

    Attributes
    ----------
    token, attempt
        Number of the token in its sequence, and of earlier attempts.
    damaged
        Trains with a codeword that could not be repaired.
    """

    token: int
    attempt: int
    damaged: tuple[int, ...]

    @property
    def clean(self) -> bool:
        """Return whether every train could be repaired."""
        return not self.damaged


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """The iterations of each sequence, in order.

    Parameters
    ----------
    attempts
        For each sequence, its iterations.
    """

    attempts: tuple[tuple[Attempt, ...], ...]

    @property
    def replays(self) -> int:
        """Return the iterations that repeat a token."""
        return sum(a.attempt > 0 for each in self.attempts for a in each)

    @property
    def iterations(self) -> tuple[int, ...]:
        """Return the number of iterations of each sequence."""
        return tuple(len(each) for each in self.attempts)


@final
class LinkErrors:
    """What the FEC decoders meet, train by train and iteration by iteration.

    Bit errors are those of the link's error model; trains are independent.

    Parameters
    ----------
    machine
        Code and bit error rate.
    program
        The trains.
    draws
        The source of chance.
    """

    def __init__(self, machine: MachineSpec, program: Program, draws: Draws) -> None:
        trains = program.trains
        code = machine.fec.parameters
        self._draws = draws
        self._sequences = program.sequences
        self._count = codewords(code, trains.vectors, machine.link.vector_bytes)
        self._corrected = codeword_outcome(machine).corrected
        self._uncorrectable = damage_odds(machine, self._count)
        self.keys = component_keys(trains.link, ordinals(trains.link))

    def event(self, sequence: int, iteration: int) -> int:
        """Return the number under which an iteration's draws are made."""
        return iteration * self._sequences + sequence

    def uncorrectable(self, sequence: int, iteration: int) -> NDArray[np.bool_]:
        """Return which trains hold a codeword that cannot be repaired."""
        if not self._uncorrectable.any():
            return np.zeros(len(self.keys), dtype=bool)
        event = self.event(sequence, iteration)
        uniform = self._draws.uniform(Stream.UNCORRECTABLE, self.keys, event)
        return uniform < self._uncorrectable

    def corrected(self, sequence: int, iteration: int) -> Ints:
        """Return how many codewords of each train were repaired."""
        if not self._corrected:
            return np.zeros(len(self.keys), dtype=np.int64)
        event = self.event(sequence, iteration)
        uniform = self._draws.uniform(Stream.CORRECTED, self.keys, event)
        return affected_codewords(uniform, self._count, self._corrected)


def plan_delivery(errors: LinkErrors, sequences: int, tokens: int) -> Delivery:
    """Return the iterations that deliver `tokens` tokens of each sequence."""
    return Delivery(
        attempts=tuple(
            _attempts(errors, sequence, tokens) for sequence in range(sequences)
        )
    )


def _attempts(errors: LinkErrors, sequence: int, tokens: int) -> tuple[Attempt, ...]:
    attempts: list[Attempt] = []
    for token in range(tokens):
        for attempt in range(_MOST_ATTEMPTS):
            damaged = np.flatnonzero(errors.uncorrectable(sequence, len(attempts)))
            attempts.append(Attempt(token, attempt, tuple(damaged.tolist())))
            if not len(damaged):
                break
    return tuple(attempts)
