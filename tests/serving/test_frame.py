import pytest

from serving.frame import Pace, Policy, frame_times
from serving.timetable.admission import WindowAdmission, Work
from specs.errors import SpecError
from tests.serving.round_times import round_frame, round_times


def test_windows_come_before_the_slots_of_a_frame() -> None:
    times = frame_times(round_times(), round_frame())
    assert times.frame_cycles == 2 * 50 + 2 * 100
    assert [times.window_start(window) for window in range(4)] == [0, 50, 300, 350]
    assert [times.window_at(start) for start in (0, 50, 300, 350)] == [0, 1, 2, 3]
    assert [times.slot_start(1, slot) for slot in (0, 1)] == [400, 500]


def test_a_frame_without_windows_has_the_turns_of_the_decode_program() -> None:
    lags = {"token_lag_cycles": [70], "pass_lag_cycles": [70]}
    times = frame_times(round_times(**lags), round_frame(windows=0))
    assert (times.frame_cycles, times.slot_cycles) == (200, 100)
    assert times.token_cycles == 150


def test_a_frame_is_as_long_as_a_token_that_trails_a_chunk() -> None:
    lag = round_times(token_lag_cycles=[250])
    times = frame_times(lag, round_frame(pace=Pace.CHUNK))
    assert times.token_cycles == times.frame_cycles == 400


def test_at_the_pace_of_tokens_chunks_go_on_in_later_windows() -> None:
    paced = {"paced_windows": [3], "paced_pass_cycles": [170]}
    times = frame_times(round_times(token_lag_cycles=[250], **paced), round_frame())
    assert (times.token_cycles, times.frame_cycles) == (150, 300)
    assert (times.behind_windows, times.pass_cycles) == (3, 170)
    (placed,) = WindowAdmission(times).place([Work(0, 1, 0)])
    # Three windows behind the one at 0 is the second one of the next frame.
    assert placed.chosen_cycle == 350 + 170


def test_a_prompt_in_its_own_slot_makes_slots_as_long_as_windows() -> None:
    frame = round_frame(windows=0, policy=Policy.SLOTS)
    times = frame_times(round_times(window_cycles=[120]), frame)
    assert (times.slot_cycles, times.frame_cycles) == (120, 240)


def test_a_frame_that_cannot_be_is_refused() -> None:
    with pytest.raises(SpecError, match="slots must be > 0, got 0"):
        round_frame(slots=0)
    with pytest.raises(SpecError, match="windows must be >= 0, got -1"):
        round_frame(windows=-1)
    with pytest.raises(SpecError, match="2 windows and policy slots"):
        round_frame(policy=Policy.SLOTS)
    with pytest.raises(SpecError, match="chunk_tokens is 4, and the programs"):
        frame_times(round_times(), round_frame(chunk_tokens=4))
