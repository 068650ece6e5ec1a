import io
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.sweep import progress
from experiments.sweep.progress import SweepProgress, progress_line
from experiments.tables import status_line


def test_a_file_is_told_the_end_and_what_was_there_already() -> None:
    stream = io.StringIO()
    tell = SweepProgress(5, stream)
    tell(0, 2, 0)
    for done in (1, 2, 3):
        tell(done, 2, 1)
    there, end = stream.getvalue().splitlines()
    assert there == "sweep: 2 of 5 points were there already"
    assert end.startswith("sweep: 5 of 5 points, 1 refused, ")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_shows_one_line() -> None:
    stream = Terminal()
    tell = SweepProgress(2, stream)
    tell(0, 0, 0)
    tell(2, 0, 0)
    assert stream.getvalue().count("\n") == 1
    assert stream.getvalue().startswith("\r")


class Gone(io.StringIO):
    def write(self, _text: str) -> int:
        raise BrokenPipeError


def test_a_sweep_goes_on_when_nobody_reads_how_far_it_is() -> None:
    tell = SweepProgress(3, Gone())
    tell(0, 1, 0)
    tell(2, 1, 0)


def test_the_start_of_processes_does_not_show_in_the_time_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now_s = 1000.0
    clock = SimpleNamespace(monotonic=lambda: now_s)
    monkeypatch.setattr(progress, "time", clock)
    monkeypatch.setattr(status_line, "time", clock)
    stream = io.StringIO()
    tell = SweepProgress(1_000, stream)
    now_s += 60
    for done in range(1, 501):
        now_s += 0.1
        tell(done, 0, 0)
    assert ", 10.0 points/s, " in stream.getvalue().splitlines()[-1]


@given(
    st.integers(1, 10**5),
    st.integers(0, 10**5),
    st.floats(0, 1e6),
    st.floats(1e-6, 1e9),
)
def test_time_left_is_what_the_rest_takes_at_the_rate(
    done: int, left: int, wall_s: float, rate_per_s: float
) -> None:
    line = progress_line(
        done, 0, 0, total=done + left, wall_s=wall_s, rate_per_s=rate_per_s
    )
    assert line.endswith("left") == bool(left)
    assert f"{done:,} of {done + left:,} points" in line
    assert " 0.0 points/s" not in line
