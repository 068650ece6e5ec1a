"""Frame: the fixed repetition of decode slots and prompt windows at the first stage."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, final

from serving.service_times import ServiceTimes
from specs.errors import SpecError


class Policy(StrEnum):
    """How prompts share a pipeline with decoding. Groq's own way is unpublished."""

    WINDOWS = "windows"
    SLOTS = "slots"
    ALTERNATE = "alternate"
    APART = "apart"


class Pace(StrEnum):
    """Whose pace the stages of a frame with windows keep; unpublished, too.

    With that of tokens, each stage runs the frame of the one before it as soon as a
    token is there, and a chunk goes on in the next window. With that of chunks, tokens
    wait for the chunks ahead of them in every stage.
    """

    TOKEN = "token"
    CHUNK = "chunk"


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """A frame: decode slots and prompt windows, repeated.

    Parameters
    ----------
    slots
        Sequences that decode, a token each in every frame.
    windows
        Chunks of prompts in every frame; none unless the policy is ``windows``.
    chunk_tokens
        Positions of a prompt in a window.
    context_tokens
        Longest context of a sequence; slots and windows are as wide as it needs.
    policy
        How prompts share the pipeline.
    pace
        Whose pace the stages keep, with windows.
    """

    slots: int
    windows: int
    chunk_tokens: int
    context_tokens: int
    policy: Policy = Policy.WINDOWS
    pace: Pace = Pace.TOKEN

    def __post_init__(self) -> None:
        """Refuse frames that cannot be.

        Raises
        ------
        SpecError
            If a size is out of range, or windows do not belong to the policy.
        """
        for name in ("slots", "chunk_tokens", "context_tokens"):
            if getattr(self, name) < 1:
                raise SpecError(f"frame: {name} must be > 0, got {getattr(self, name)}")
        if self.windows < 0:
            raise SpecError(f"frame: windows must be >= 0, got {self.windows}")
        if self.windows and self.policy is not Policy.WINDOWS:
            raise SpecError(
                f"frame: {self.windows} windows and policy {self.policy}, which has "
                f"none; set windows = 0, or use policy = windows"
            )


class FrameTimes(NamedTuple):
    """Times of a frame in cycles: when its windows and slots start, and what they take.

    Attributes
    ----------
    slots, windows
        Decode slots and prompt windows in a frame.
    frame_cycles
        Length of the frame, the time per token of every sequence.
    window_cycles, pass_cycles
        From a window to the next, and from the start of a window until the first token
        is at the first stage, if the window's chunk ends a prompt.
    behind_windows
        By how many windows that window is behind the chunk's own at the first stage.
    first_slot_cycles, slot_cycles
        Start of the first slot in the frame, and the cycles from a slot to the next.
    token_cycles
        From the start of a slot until its token is at the first stage.
    """

    slots: int
    windows: int
    frame_cycles: int
    window_cycles: int
    pass_cycles: int
    behind_windows: int
    first_slot_cycles: int
    slot_cycles: int
    token_cycles: int

    def slot_start(self, frame: int, slot: int) -> int:
        """Return the cycle at which a slot of a frame starts."""
        within = self.first_slot_cycles + slot * self.slot_cycles
        return frame * self.frame_cycles + within

    def window_start(self, window: int) -> int:
        """Return the cycle at which a window starts, counted over all frames."""
        frame, within = divmod(window, self.windows)
        return frame * self.frame_cycles + within * self.window_cycles

    def window_at(self, start_cycle: int) -> int:
        """Return the number of the window that starts at a cycle, over all frames."""
        frame, within = divmod(start_cycle, self.frame_cycles)
        return frame * self.windows + within // self.window_cycles


def frame_times(times: ServiceTimes, frame: Frame, bucket: int = -1) -> FrameTimes:
    """Return the times of a frame on a compiled pipeline.

    Without prompt windows it is the period of the decode program. With them, every
    stage keeps the timetable of the first one, later: by what a token takes to get
    there, or by what the slower of a token and a chunk takes.

    Parameters
    ----------
    times
        Times of the compiled programs.
    frame
        What repeats.
    bucket
        Number of the context bucket; the last one that the frame's context needs if -1.

    Raises
    ------
    SpecError
        If the programs are compiled for other slots or chunks, or a context is beyond
        their largest bucket.
    """
    for name in ("slots", "chunk_tokens"):
        ours, theirs = getattr(frame, name), getattr(times, name)
        if ours != theirs:
            raise SpecError(
                f"frame: {name} is {ours}, and the programs are compiled for {theirs}; "
                f"compile service times for the frame"
            )
    at = times.bucket_of(frame.context_tokens) if bucket < 0 else bucket
    slot, period = int(times.slot_cycles[at]), int(times.period_cycles[at])
    token, window = int(times.token_cycles[at]), int(times.window_cycles[at])
    passing, behind = int(times.pass_cycles[at]), 0
    paced = frame.windows > 0 and frame.pace is Pace.TOKEN
    mixed = frame.policy is Policy.SLOTS or (frame.windows > 0 and not paced)
    if paced:
        passing = int(times.paced_pass_cycles[at])
        behind = int(times.paced_windows[at])
    if mixed:
        token += int(times.token_lag_cycles[at])
        passing += int(times.pass_lag_cycles[at])
    if frame.policy is Policy.SLOTS:
        slot = max(slot, window)
    first = frame.windows * window
    return FrameTimes(
        slots=frame.slots,
        windows=frame.windows,
        frame_cycles=max(period, first + frame.slots * slot, token if mixed else 0),
        window_cycles=window,
        pass_cycles=passing,
        behind_windows=behind,
        first_slot_cycles=first,
        slot_cycles=slot,
        token_cycles=token,
    )
