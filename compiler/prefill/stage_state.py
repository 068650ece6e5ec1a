"""Stage state: which chunks a stage holds, and until when its units are taken."""

from collections.abc import Sequence
from typing import final

from compiler.ir.timeline import ComputeEntry
from compiler.prefill.chunk_steps import ChunkStep

# A step waits if it would delay that of an older chunk by more than this part of its
# own length.
_LONGEST_DELAY = 0.5


@final
class StageState:
    """State of a stage while chunks are scheduled.

    Parameters
    ----------
    steps
        Steps of each chunk in the stage; none of those that end before it.

    Attributes
    ----------
    ready
        Chunks that wait for their next step, ascending.
    running
        End and chunk of each step that runs.
    done, left
        Steps that each chunk has done, and how many chunks have left.
    compute_end, exchange_end, transfer_end
        When the units are free.
    read_by, read_end
        Whose matrix was read last, and until when.
    """

    def __init__(self, steps: Sequence[Sequence[ChunkStep]]) -> None:
        self._steps = steps
        self.ready: list[int] = []
        self.running: list[tuple[int, int]] = []
        self.done: dict[int, int] = {}
        self.left = sum(not own for own in steps)
        self.compute_end = self.exchange_end = self.transfer_end = 0
        self.read_by, self.read_end = -1, 0

    def enter(self, chunk: int) -> None:
        """Take a chunk, ready for its first step."""
        self.done[chunk] = 0
        self.ready.append(chunk)
        self.ready.sort()

    def start(self, chunk: int, end: int) -> None:
        """Note that the next step of a chunk runs until a cycle."""
        self.ready.remove(chunk)
        self.running.append((end, chunk))

    def end_steps(self, now: int) -> list[int]:
        """End the steps that have run until now; return the chunks that leave."""
        leaving = []
        for chunk in sorted(chunk for end, chunk in self.running if end <= now):
            self.done[chunk] += 1
            if self.done[chunk] < len(self._steps[chunk]):
                self.ready.append(chunk)
            else:
                self.left += 1
                leaving.append(chunk)
        self.running = [run for run in self.running if run[0] > now]
        self.ready.sort()
        return leaving

    def next_step(self, chunk: int) -> ChunkStep:
        """Return the step that a chunk is ready for."""
        return self._steps[chunk][self.done[chunk]]

    def has_room(self, chunk: int, together: int) -> bool:
        """Return whether it may take a chunk beside so many at a time."""
        return chunk < self.left + together

    def may_go_on(self, chunk: int, now: int) -> bool:
        """Return whether a chunk may do its next step now, if the units are free.

        The chunk before must be ahead, step by step if both do the same steps. A step
        waits too if it would delay an older chunk for long.
        """
        return self._in_order(chunk) and not self._delays(chunk, now)

    def _in_order(self, chunk: int) -> bool:
        """Return whether the chunk before is ahead."""
        if chunk == 0 or self.left >= chunk:
            return True
        if len(self._steps[chunk]) != len(self._steps[chunk - 1]):
            return False
        return self.done[chunk] < self.done.get(chunk - 1, 0)

    def _delays(self, chunk: int, now: int) -> bool:
        """Return whether a step would delay that of an older chunk for long."""
        step = self.next_step(chunk)
        computes = isinstance(step.entry, ComputeEntry)
        for end, older in self.running:
            following = self.done[older] + 1
            if older > chunk or following == len(self._steps[older]):
                continue
            entry = self._steps[older][following].entry
            late = now + step.cycles - end > _LONGEST_DELAY * step.cycles
            if late and isinstance(entry, ComputeEntry) == computes:
                return True
        return False
