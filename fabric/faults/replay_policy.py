"""Which iterations a stint needs: tokens, and the replays of those that were damaged.

An uncorrectable error taints the token, and so does a vector that never comes. At the
token's end the runtime replays it, and it is delivered once an attempt is clean. What
fails a second time while the same token is tried is broken: its node is marked bad,
and the stint ends if the rack has a spare node for it. All of this follows from draws
and from the fault script, so the order of iterations is known ahead to any engine.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, final

import numpy as np

from chip.program import Program
from fabric.faults.link_errors import LinkErrors
from fabric.faults.losses import Losses
from fabric.faults.spares import Moved
from specs.arrays import Ints
from topologies.topology import Topology

# A token that is damaged this often in a row is given up: the machine is unusable.
MOST_ATTEMPTS = 8


class Attempt(NamedTuple):
    """One iteration: its token, how often that was tried before, and what went wrong.

    Attributes
    ----------
    token, attempt
        Number of the token in its sequence, and of earlier attempts.
    damaged
        Trains with a codeword that could not be repaired.
    lost
        Trains that never came.
    halted
        Chips that stood still before they had done their part to the end.
    """

    token: int
    attempt: int
    damaged: tuple[int, ...] = ()
    lost: int = 0
    halted: tuple[int, ...] = ()

    @property
    def clean(self) -> bool:
        """Return whether every train came and could be repaired."""
        return not (self.damaged or self.lost or self.halted)


class SequenceState(NamedTuple):
    """How far a sequence is: its next token, and what happened to that so far.

    Attributes
    ----------
    token, attempt
        The token to compute next, and how often it was tried.
    suspects
        Directed links, and chips as ``-1 - chip``, that failed while it was tried.
    given_up
        Why no more of its tokens are computed; empty as long as they are.
    """

    token: int = 0
    attempt: int = 0
    suspects: frozenset[int] = frozenset()
    given_up: str = ""


class Failure(NamedTuple):
    """What ended a stint: a link or chip that failed for the second time.

    Attributes
    ----------
    sequence, iteration, token
        Where it was noticed; the iteration counts from the stint's start.
    link, chip
        The directed link, or -1; the chip that sends on it, or that stopped.
    node
        The chip's node, which is marked bad.
    end_cycle
        Program cycle at which it was noticed; the program goes around what was out of
        order by then.
    moved
        The program without it.
    """

    sequence: int
    iteration: int
    token: int
    link: int
    chip: int
    node: int
    end_cycle: int
    moved: Moved


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """The iterations of each sequence, in order.

    Parameters
    ----------
    attempts
        For each sequence, its iterations.
    failure
        What ended the stint early, if anything did.
    waiting
        How far each sequence is after it.
    """

    attempts: tuple[tuple[Attempt, ...], ...]
    failure: Failure | None
    waiting: tuple[SequenceState, ...]

    @property
    def iterations(self) -> tuple[int, ...]:
        """Return the number of iterations of each sequence."""
        return tuple(len(each) for each in self.attempts)


@final
class Dispatcher:
    """The runtime on the host: it decides at each token's end what comes next.

    Parameters
    ----------
    program, topology
        What runs on which wiring.
    errors, losses
        What goes wrong in an iteration.
    first_iteration
        Iterations of all stints before.
    move
        Takes a node and the program cycle at which it was found bad; returns the
        program without it, or why there is none.
    """

    def __init__(
        self,
        program: Program,
        topology: Topology,
        *,
        errors: LinkErrors,
        losses: Losses,
        first_iteration: int = 0,
        move: Callable[[int, int], Moved | str],
    ) -> None:
        self._program = program
        self._topology = topology
        self._errors = errors
        self._losses = losses
        self._first_iteration = first_iteration
        self._move = move
        self._immovable: dict[int, str] = {}
        self._carried: tuple[SequenceState, ...] = ()

    def plan(self, waiting: tuple[SequenceState, ...], tokens: int) -> Delivery:
        """Return the iterations that deliver what is missing of `tokens` tokens.

        Parameters
        ----------
        waiting
            How far each sequence is.
        tokens
            Tokens wanted of each sequence.
        """
        now, self._carried = list(waiting), waiting
        attempts: list[list[Attempt]] = [[] for _ in now]
        failure: Failure | None = None
        iteration, busy = 0, True
        while busy:
            busy = False
            for sequence, state in enumerate(now):
                if state.token >= tokens or state.given_up:
                    continue
                # Once something has failed, what has begun is ended.
                if (
                    failure
                    and self.base_cycle(sequence, iteration) >= failure.end_cycle
                ):
                    continue
                busy = True
                attempt = self._attempt(state, sequence, iteration)
                attempts[sequence].append(attempt)
                now[sequence], broken = self._judged(
                    state, attempt, sequence, iteration, moving=failure is not None
                )
                failure = failure or broken
            iteration += 1
        return Delivery(
            attempts=tuple(tuple(each) for each in attempts),
            failure=failure,
            waiting=tuple(now),
        )

    def base_cycle(self, sequence: int, iteration: int) -> int:
        """Return the program cycle at which an iteration begins."""
        program = self._program
        return iteration * program.period_cycles + sequence * program.interval_cycles

    def event(self, sequence: int, iteration: int) -> int:
        """Return the number under which an iteration's draws are made."""
        number = self._first_iteration + iteration
        return number * self._program.sequences + sequence

    def lost(self, sequence: int, iteration: int) -> Ints:
        """Return the trains that never come, ascending."""
        return self._losses.lost(self.base_cycle(sequence, iteration))

    def _attempt(self, state: SequenceState, sequence: int, iteration: int) -> Attempt:
        base = self.base_cycle(sequence, iteration)
        damaged = self._errors.damaged(self.event(sequence, iteration), base)
        lost = self._losses.lost(base)
        return Attempt(
            state.token,
            state.attempt,
            tuple(np.setdiff1d(damaged, lost).tolist()) if len(damaged) else (),
            len(lost),
            tuple(self._losses.halted(base).tolist()),
        )

    def _judged(
        self,
        state: SequenceState,
        attempt: Attempt,
        sequence: int,
        iteration: int,
        *,
        moving: bool,
    ) -> tuple[SequenceState, Failure | None]:
        """Return where a sequence is after an attempt, and what it found broken.

        Nothing more is looked into once the program is about to move.
        """
        if attempt.clean:
            return SequenceState(token=state.token + 1), None
        suspects = self._suspects(attempt, sequence, iteration)
        again = sorted(suspects & state.suspects)
        after = SequenceState(state.token, state.attempt + 1, state.suspects | suspects)
        if moving:
            return after, None
        end_cycle = self.base_cycle(sequence, iteration) + self._program.token_cycles
        # Chips come first: one that stopped makes all its links fail.
        for suspect in again:
            chip = -1 - suspect if suspect < 0 else int(self._topology.source[suspect])
            node = int(self._topology.node[chip])
            if node not in self._immovable:
                moved = self._move(node, end_cycle)
                if not isinstance(moved, str):
                    link = max(suspect, -1)
                    return after, Failure(
                        sequence=sequence,
                        iteration=iteration,
                        token=state.token,
                        link=link,
                        chip=chip,
                        node=node,
                        end_cycle=end_cycle,
                        moved=moved,
                    )
                self._immovable[node] = moved
        carried = self._carried[sequence]
        # Attempts on other chips say nothing about these.
        before = carried.attempt if carried.token == state.token else 0
        if after.attempt - before >= MOST_ATTEMPTS:
            reason = "no link failed twice: lower link.ber or take a stronger fec.code"
            if again:
                reason = self._described(again[0])
            after = after._replace(
                given_up=f"{MOST_ATTEMPTS} attempts in a row were damaged; {reason}"
            )
        return after, None

    def _suspects(
        self, attempt: Attempt, sequence: int, iteration: int
    ) -> frozenset[int]:
        """Return links that failed in an attempt, and chips as ``-1 - chip``."""
        failed = np.array(attempt.damaged, dtype=np.int64)
        if attempt.lost:
            failed = np.concatenate([failed, self.lost(sequence, iteration)])
        links = np.unique(self._program.trains.link[failed])
        return frozenset([*(-1 - chip for chip in attempt.halted), *links.tolist()])

    def _described(self, suspect: int) -> str:
        """Return what fails, and why the program cannot go elsewhere."""
        topology = self._topology
        if suspect < 0:
            chip = -1 - suspect
            what = f"chip {chip} does not answer"
        else:
            chip, target = int(topology.source[suspect]), int(topology.target[suspect])
            what = f"link {suspect} (chip {chip} to {target}) fails"
        return f"{what}, and {self._immovable[int(topology.node[chip])]}"
