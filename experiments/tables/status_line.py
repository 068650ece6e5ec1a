"""Status line on stderr: one line that changes, or new lines now and then in a file."""

import io
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO, final

from specs.progress import progress_told_to

# Seconds between updates.
_TERMINAL_S = 0.2
_FILE_S = 10.0
# Work that ends sooner says nothing.
_PATIENCE_S = 2.0
# Below this share of the work nobody knows what is left.
_LEAST_SHARE = 0.02
_S_PER_MINUTE = 60
_S_PER_HOUR = 3600


@final
class StatusLine:
    """Line that says how far a command is.

    Parameters
    ----------
    stream
        Stream to write to; stderr if None.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        # A process may have no stderr.
        self._stream = stream or sys.stderr or io.StringIO()
        self.terminal = self._stream.isatty()
        self._shown_s = time.monotonic()
        self._open = False

    @property
    def due(self) -> bool:
        """Return whether the interval since the last update is over."""
        pause_s = _TERMINAL_S if self.terminal else _FILE_S
        return time.monotonic() - self._shown_s >= pause_s

    def show(self, line: str, *, last: bool = False) -> None:
        """Show a line in place of the one before; the `last` one stays."""
        self._shown_s = time.monotonic()
        # Clear the line before: it may be longer.
        start, end = ("\r\033[K", "\n" if last else "") if self.terminal else ("", "\n")
        self._open = self.terminal and not last
        self.write(f"{start}{line}{end}")

    def clear(self) -> None:
        """Leave no line on a terminal, so that what follows starts at its left edge."""
        if self._open:
            self._open = False
            self.write("\r\033[K")

    def write(self, text: str) -> None:
        """Write a text to the stream, or drop it if the stream is closed."""
        try:
            print(text, end="", file=self._stream, flush=True)
        except (OSError, ValueError):
            # A closed stream must not end the work.
            self._stream = io.StringIO()
            self.terminal = self._open = False


@final
class WorkStatus:
    """Listener to progress that shows it on a status line.

    Parameters
    ----------
    stream
        Stream to write to; stderr if None.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._line = StatusLine(stream)
        self._began_s = time.monotonic()
        self._what = ""
        self._what_began_s = self._began_s

    def __call__(self, what: str, done: int, total: int) -> None:
        """Show how far the work is, once it has taken long enough for a person."""
        now_s = time.monotonic()
        if what != self._what:
            self._what, self._what_began_s = what, now_s
        if now_s - self._began_s >= _PATIENCE_S and self._line.due:
            took_s = now_s - self._what_began_s
            self._line.show(status(what, done, total, took_s=took_s))

    def clear(self) -> None:
        """Leave no line on a terminal."""
        self._line.clear()


@contextmanager
def progress_shown() -> Iterator[None]:
    """Show on stderr how far the work inside the ``with`` block is, if it is long."""
    shown = WorkStatus()
    try:
        with progress_told_to(shown):
            yield
    finally:
        shown.clear()


def status(what: str, done: int, total: int, *, took_s: float) -> str:
    """Return what a status line says of some work.

    Parameters
    ----------
    what, done, total
        As `specs.progress.report_progress` takes them.
    took_s
        Seconds since the work began.

    >>> status("simulating tokens", 30, 100, took_s=6.0)
    'simulating tokens: 30 of 100, 14 s left'
    >>> status("searching strategies", 1200, 0, took_s=6.0)
    'searching strategies: 1,200, for 6 s'
    >>> status("compiling", 0, 1, took_s=6.0)
    'compiling, for 6 s'
    >>> status("compiling", 0, 1, took_s=0.1)
    'compiling'
    """
    if total and done > _LEAST_SHARE * total:
        left_s = took_s * (total - done) / done
        return f"{what}: {done:,} of {total:,}, {span(left_s)} left"
    said = f": {done:,}" if done else ""
    took = f", for {span(took_s)}" if took_s >= 1 else ""
    return f"{what}{said}{took}"


def span(seconds: float) -> str:
    """Return a duration in seconds, minutes or hours.

    >>> span(90.0), span(300.0)
    ('90 s', '5 min')
    """
    if seconds < 2 * _S_PER_MINUTE:
        return f"{seconds:.0f} s"
    if seconds < 2 * _S_PER_HOUR:
        return f"{seconds / _S_PER_MINUTE:.0f} min"
    return f"{seconds / _S_PER_HOUR:.1f} h"
