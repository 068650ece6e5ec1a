"""Job: a request on its way through a replica, with what is recorded of it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

from serving.results.served import Served


@final
@dataclass(slots=True)
class Job:
    """A request on its way through a replica.

    Parameters
    ----------
    request
        Its number.
    ready_cycle
        When its prompt, and what was restored of it, is on the chips.
    prompt_tokens, cached_tokens
        Positions of its prompt, and those that need no pass.
    chunks, turns
        Passes of its prompt and decode turns that are still to start.
    slot
        Its decode slot, -1 while it has none.
    started, prompted
        Whether its first pass has started, and whether its prompt has been computed.
    decoded
        Decode turns that have started.
    """

    request: int
    ready_cycle: int
    prompt_tokens: int
    cached_tokens: int
    chunks: int
    turns: int
    slot: int = -1
    started: bool = False
    prompted: bool = False
    decoded: int = 0


@final
class JobLog:
    """Log of one replica's jobs: it fills in the result, and counts who is there.

    Parameters
    ----------
    served
        Result to fill in.
    replica
        Number of the replica.
    ended
        Called with the cycle of each last token.
    """

    def __init__(
        self, served: Served, replica: int, ended: Callable[[int], None]
    ) -> None:
        self._served, self._replica, self._ended = served, replica, ended
        self.waiting = self.present = 0
        self.unfinished = 0

    def arrive(self, job: Job) -> None:
        """Record that a job waits."""
        self._served.replica[job.request] = self._replica
        self._served.ready_cycle[job.request] = job.ready_cycle
        self.waiting += 1
        self.present += 1
        self.unfinished += 1

    def take_slot(self, job: Job, slot: int) -> None:
        """Record the slot of a job."""
        job.slot = slot
        self._served.slot[job.request] = slot

    def start(self, job: Job, now: int) -> None:
        """Record that the first pass of a job starts."""
        job.started = True
        self._served.admitted_cycle[job.request] = now
        self.waiting -= 1

    def choose(self, job: Job, now: int) -> None:
        """Record that the first token of a job is at the first stage."""
        job.prompted = True
        for column in (self._served.chosen_cycle, self._served.second_cycle):
            column[job.request] = now

    def turn(self, job: Job, now: int, turn: int, *, last: bool) -> None:
        """Record that what a decode turn of a job gave is at the first stage."""
        if turn == 1:
            self._served.second_cycle[job.request] = now
        if last:
            self.end(job, now)

    def end(self, job: Job, now: int) -> None:
        """Record that the last token of a job is at the first stage."""
        self._served.end_cycle[job.request] = now
        self.unfinished -= 1
        self._ended(now)

    def leave(self) -> None:
        """Record that a slot is free again."""
        self.present -= 1
