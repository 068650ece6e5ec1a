import io
import sys
from types import SimpleNamespace

import pytest

from experiments.tables import status_line
from experiments.tables.status_line import (
    StatusLine,
    WorkStatus,
    progress_shown,
    span,
    status,
)
from specs.progress import report_progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    """A clock that goes on by a second each time it is read."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = 0.0
        clock = SimpleNamespace(monotonic=self.monotonic)
        monkeypatch.setattr(status_line, "time", clock)

    def monotonic(self) -> float:
        self.now_s += 1
        return self.now_s


def test_work_that_ends_soon_says_nothing() -> None:
    stream = Terminal()
    tell = WorkStatus(stream)
    tell("planning", 1, 2)
    tell.clear()
    assert stream.getvalue() == ""


def test_long_work_leaves_no_line_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Clock(monkeypatch)
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    with progress_shown():
        for done in range(9):
            report_progress("simulating tokens", done, 10)
    assert "simulating tokens: 8 of 10, " in stream.getvalue()
    assert stream.getvalue().endswith("\r\033[K")


def test_a_file_gets_whole_lines_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    Clock(monkeypatch)
    stream = io.StringIO()
    tell = WorkStatus(stream)
    for done in range(40):
        tell("searching", done, 0)
    tell.clear()
    lines = stream.getvalue().splitlines()
    assert 1 < len(lines) < 10
    assert all(line.startswith("searching: ") for line in lines)


def test_the_last_line_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    Clock(monkeypatch)
    stream = Terminal()
    line = StatusLine(stream)
    line.show("half", last=False)
    line.show("whole", last=True)
    line.clear()
    assert stream.getvalue() == "\r\033[Khalf\r\033[Kwhole\n"


def test_a_file_waits_longer_than_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    Clock(monkeypatch)
    assert StatusLine(Terminal()).due
    assert not StatusLine(io.StringIO()).due


def test_time_left_is_said_once_it_is_known() -> None:
    assert status("timing", 1, 100, took_s=9.0) == "timing: 1, for 9 s"
    assert status("timing", 25, 100, took_s=10.0) == "timing: 25 of 100, 30 s left"
    assert span(7200.0) == "2.0 h"
