"""Replay policy: the iterations of a segment, with replays of damaged tokens.

An uncorrectable error damages a token, and so does a vector that never arrives. At the
token's end the runtime replays it, and it is delivered once an attempt is clean. A link
or chip that fails a second time for the same token is broken. Its node is marked bad,
and the segment ends if the rack has a spare node for it. All of this follows from
random draws and the fault script, so every engine knows the iterations in advance.
"""

from collections.abc import Callable
from typing import final

import numpy as np

from chip.program import Program
from fabric.faults.delivery import Attempt, Delivery, Failure, SequenceState
from fabric.faults.link_errors import LinkErrors
from fabric.faults.losses import Losses
from fabric.faults.spares import Moved
from specs.arrays import Ints
from topologies.topology import Topology

# A token is given up after this many damaged attempts: the machine is unusable.
MOST_ATTEMPTS = 8


@final
class Dispatcher:
    """Runtime on the host, which selects the next iteration at each token's end.

    Parameters
    ----------
    program, topology
        Program, and topology of the machine.
    errors, losses
        Bit errors and losses of an iteration.
    first_iteration
        Iterations of all segments before.
    move
        Function of a node and the program cycle at which it was marked bad that returns
        the program without the node, or the reason why there is none.
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
        """Return the iterations that deliver the rest of `tokens` tokens.

        Parameters
        ----------
        waiting
            State of each sequence.
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
                # After a failure only iterations that have begun are completed.
                if (
                    failure
                    and self.base_cycle(sequence, iteration) >= failure.end_cycle
                ):
                    continue
                busy = True
                attempt = self._attempt(state, sequence, iteration)
                attempts[sequence].append(attempt)
                now[sequence], broken = self._state_after(
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

    def last_cycle(self, delivery: Delivery) -> int:
        """Return the program cycle at which the last iteration of a delivery ends."""
        return max(
            self.base_cycle(sequence, iterations - 1) + self._program.token_cycles
            for sequence, iterations in enumerate(delivery.iterations)
        )

    def event(self, sequence: int, iteration: int) -> int:
        """Return the event number of an iteration's random draws."""
        number = self._first_iteration + iteration
        return number * self._program.sequences + sequence

    def lost(self, sequence: int, iteration: int) -> Ints:
        """Return the trains that never arrive, ascending."""
        return self._losses.lost(self.base_cycle(sequence, iteration))

    def _attempt(self, state: SequenceState, sequence: int, iteration: int) -> Attempt:
        """Return an iteration with the faults that it suffers."""
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

    def _state_after(
        self,
        state: SequenceState,
        attempt: Attempt,
        sequence: int,
        iteration: int,
        *,
        moving: bool,
    ) -> tuple[SequenceState, Failure | None]:
        """Return the state of a sequence after an attempt, and a failure if detected.

        No further failure is handled once the program is about to move.
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
        # Attempts on other chips do not count for these.
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
        """Return a description of a failure, and why the program cannot be moved."""
        topology = self._topology
        if suspect < 0:
            chip = -1 - suspect
            what = f"chip {chip} does not answer"
        else:
            chip, target = int(topology.source[suspect]), int(topology.target[suspect])
            what = f"link {suspect} (chip {chip} to {target}) fails"
        return f"{what}, and {self._immovable[int(topology.node[chip])]}"
