import io

from hypothesis import given
from hypothesis import strategies as st

from experiments.sweep_progress import SweepProgress, progress_line


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


@given(st.integers(1, 10**5), st.integers(0, 10**5), st.floats(0, 1e6))
def test_time_left_is_what_the_rest_takes_at_the_rate_so_far(
    done: int, left: int, wall_s: float
) -> None:
    line = progress_line(done, 0, 0, total=done + left, wall_s=wall_s)
    assert line.endswith("left") == bool(left)
    assert f"{done:,} of {done + left:,} points" in line
