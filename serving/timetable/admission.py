"""Admission: requests on the slots and windows of a frame, one after another.

A request takes the slot that has been free for longest and the next windows that no
earlier request has, so that none overtakes another. A request that finds nothing under
way starts the frames anew: an idle pipeline keeps no timetable, and the call that ends
the idleness finds what every such call finds. All of it is integer arithmetic on
cycles, a constant number of operations for a request.
"""

from collections.abc import Iterable
from heapq import heapify, heapreplace
from typing import NamedTuple, final

from serving.frame import FrameTimes


class Work(NamedTuple):
    """What a request asks of the frame.

    Attributes
    ----------
    ready_cycle
        First cycle at which its prompt is on the chips.
    chunks
        Windows that its prompt takes; a prompt has one at least. With none, all of its
        tokens are decode turns.
    turns
        Decode turns after the prompt.
    """

    ready_cycle: int
    chunks: int
    turns: int


class Placed(NamedTuple):
    """Where a request is on the timetable, in cycles.

    Attributes
    ----------
    slot
        Its decode slot.
    admitted_cycle
        Start of its first pass.
    chosen_cycle
        When the token that its prompt chooses is at the first stage; without a prompt,
        when its first turn starts.
    turn_cycle
        Start of its first decode turn; `chosen_cycle` if it has none.
    free_cycle
        When another sequence may have the slot.
    """

    slot: int
    admitted_cycle: int
    chosen_cycle: int
    turn_cycle: int
    free_cycle: int


@final
class WindowAdmission:
    """Admission to frames with prompt windows.

    Parameters
    ----------
    times
        The frame.
    next_window
        First window that is free, counted from the origin.
    free_cycles
        When each slot is free, all at once if left out.
    origin_cycle
        When the first of the frames began that run now.
    idle_cycle
        From when on nothing is under way: a request then starts the frames anew.
    """

    def __init__(
        self,
        times: FrameTimes,
        next_window: int = 0,
        free_cycles: Iterable[int] = (),
        *,
        origin_cycle: int = 0,
        idle_cycle: int = 0,
    ) -> None:
        self.times = times
        self.next_window = next_window
        self.origin_cycle, self.idle_cycle = origin_cycle, idle_cycle
        free = list(free_cycles) or [0] * times.slots
        # One number for a slot and when it is free orders slots without tuples.
        self._slots = [
            free_cycle * times.slots + slot for slot, free_cycle in enumerate(free)
        ]
        heapify(self._slots)

    @property
    def free_cycles(self) -> list[int]:
        """Return when each slot is free."""
        freed = dict(divmod(key, self.times.slots)[::-1] for key in self._slots)
        return [freed[slot] for slot in range(self.times.slots)]

    def free_slot(self, slot: int, at_cycle: int) -> None:
        """Free a slot at a cycle."""
        count = self.times.slots
        kept = [key for key in self._slots if key % count != slot]
        self._slots = [*kept, at_cycle * count + slot]
        heapify(self._slots)

    def place(self, works: Iterable[Work]) -> list[Placed]:
        """Return where requests are on the timetable, and keep their places.

        Parameters
        ----------
        works
            What the requests ask for, in the order in which they are admitted.
        """
        return [Placed(*row) for row in self.rows(works)]

    def rows(
        self, works: Iterable[tuple[int, int, int]]
    ) -> list[tuple[int, int, int, int, int]]:
        """Return the fields of `place` as plain tuples, which is twice as fast."""
        slots, windows, frame, window, passing, behind, first, slot_cycles, token = (
            self.times
        )
        heap, next_window = self._slots, self.next_window
        origin, idle = self.origin_cycle, self.idle_cycle
        turn_cycles = max(token, slot_cycles)
        rows: list[tuple[int, int, int, int, int]] = []
        append = rows.append
        # Comparisons instead of `max`: a call takes as long as all the rest of a line.
        for ready, chunks, turns in works:
            if ready >= idle:
                origin, next_window = ready, 0
                heap[:] = range(slots)
            free, slot = divmod(heap[0], slots)
            at = free if free > ready else ready  # noqa: FURB136
            if chunks:
                number, within = divmod(at - origin, frame)
                ahead = -(-within // window)
                ahead = ahead if ahead < windows else windows  # noqa: FURB136
                begin = number * windows + ahead
                if begin < next_window:  # noqa: PLR1730
                    begin = next_window
                next_window = begin + chunks
                number, within = divmod(begin, windows)
                admitted = origin + number * frame + within * window
                number, within = divmod(next_window - 1, windows)
                freed = origin + number * frame + within * window + window
                if behind:
                    number, within = divmod(next_window - 1 + behind, windows)
                chosen = turn = origin + number * frame + within * window + passing
            else:
                offset = origin + first + slot * slot_cycles
                admitted = offset - (offset - at) // frame * frame
                chosen = turn = freed = admitted
            if turns:
                offset = origin + first + slot * slot_cycles
                turn = offset - (offset - chosen) // frame * frame
                last = turn + (turns - 1) * frame
                freed, ends = last + slot_cycles, last + turn_cycles
            else:
                ends = freed if freed > chosen else chosen  # noqa: FURB136
            if ends > idle:  # noqa: PLR1730
                idle = ends
            heapreplace(heap, freed * slots + slot)
            append((slot, admitted, chosen, turn, freed))
        self.next_window, self.origin_cycle, self.idle_cycle = next_window, origin, idle
        return rows


@final
class SlotAdmission:
    """Admission to frames in which a prompt passes through its own slot.

    A request takes the slot whose next turn comes first.

    Parameters
    ----------
    times
        The frame.
    free_cycles, origin_cycle, idle_cycle
        As for frames with windows.
    """

    def __init__(
        self,
        times: FrameTimes,
        free_cycles: Iterable[int] = (),
        *,
        origin_cycle: int = 0,
        idle_cycle: int = 0,
    ) -> None:
        self.times = times
        self.free_cycles = list(free_cycles) or [0] * times.slots
        self.origin_cycle, self.idle_cycle = origin_cycle, idle_cycle

    def free_slot(self, slot: int, at_cycle: int) -> None:
        """Free a slot at a cycle."""
        self.free_cycles[slot] = at_cycle

    def place(self, works: Iterable[Work]) -> list[Placed]:
        """Return where requests are on the timetable, and keep their places.

        Parameters
        ----------
        works
            What the requests ask for, in the order in which they are admitted.
        """
        return [Placed(*row) for row in self.rows(works)]

    def rows(
        self, works: Iterable[tuple[int, int, int]]
    ) -> list[tuple[int, int, int, int, int]]:
        """Return the fields of `place` as plain tuples."""
        times, free = self.times, self.free_cycles
        frame, passing, slot_cycles = (
            times.frame_cycles,
            times.pass_cycles,
            times.slot_cycles,
        )
        offsets = [times.slot_start(0, slot) for slot in range(times.slots)]
        turn_cycles = max(times.token_cycles, slot_cycles)
        rows = []
        for ready, chunks, turns in works:
            if ready >= self.idle_cycle:
                self.origin_cycle = ready
                free[:] = [0] * times.slots
            origin = self.origin_cycle
            admitted, slot = min(
                (_on_grid(max(ready, free[slot]), origin + offsets[slot], frame), slot)
                for slot in range(times.slots)
            )
            chosen = turn = admitted
            freed = idle = admitted
            if chunks:
                last = admitted + (chunks - 1) * frame
                chosen = turn = last + passing
                freed = last + slot_cycles
                idle = max(chosen, freed)
            if turns:
                turn = _on_grid(chosen, origin + offsets[slot], frame)
                last = turn + (turns - 1) * frame
                freed, idle = last + slot_cycles, last + turn_cycles
            free[slot] = freed
            self.idle_cycle = max(self.idle_cycle, idle)
            rows.append((slot, admitted, chosen, turn, freed))
        return rows


def _on_grid(at: int, offset: int, step: int) -> int:
    """Return the first cycle at or after `at` that is `offset` plus whole steps."""
    return offset - (offset - at) // step * step


def admission(times: FrameTimes, *, own_slot: bool) -> WindowAdmission | SlotAdmission:
    """Return the admission of a frame: prompts in windows, or in their own slot."""
    return SlotAdmission(times) if own_slot else WindowAdmission(times)
