"""How far a sweep is, how fast it goes, and how long it will take, on stderr."""

import sys
import time
from typing import TextIO, final

# A terminal shows one line that changes; a file gets a new line now and then.
_TERMINAL_S = 0.2
_FILE_S = 10.0
_S_PER_MINUTE = 60
_S_PER_HOUR = 3600


@final
class SweepProgress:
    """Lines that tell a person how a sweep is doing.

    Parameters
    ----------
    total
        Points of the sweep.
    stream
        Where to write; stderr if None.
    """

    def __init__(self, total: int, stream: TextIO | None = None) -> None:
        self._total = total
        self._stream = sys.stderr if stream is None else stream
        self._terminal = self._stream.isatty()
        self._began_s = time.monotonic()
        self._shown_s = self._began_s

    def __call__(self, done: int, before: int, refused: int) -> None:
        """Show where the sweep is, if it is time to.

        Parameters
        ----------
        done, before
            Points finished now, and points found finished.
        refused
            Points without numbers, of both.
        """
        now_s = time.monotonic()
        if done == 0:
            if before:
                print(
                    f"sweep: {before:,} of {self._total:,} points were there already",
                    file=self._stream,
                )
            return
        finished = done + before == self._total
        pause_s = _TERMINAL_S if self._terminal else _FILE_S
        if not finished and now_s - self._shown_s < pause_s:
            return
        self._shown_s = now_s
        line = progress_line(
            done, before, refused, total=self._total, wall_s=now_s - self._began_s
        )
        # Over a shorter line, to the end of it.
        start, end = (
            ("\r\033[K", "\n" if finished else "") if self._terminal else ("", "\n")
        )
        print(f"{start}{line}", end=end, file=self._stream, flush=True)


def progress_line(
    done: int, before: int, refused: int, *, total: int, wall_s: float
) -> str:
    """Return the state of a sweep in a line.

    >>> progress_line(50, 10, 1, total=100, wall_s=10.0)
    'sweep: 60 of 100 points, 1 refused, 5.0 points/s, 8 s left'
    >>> progress_line(90, 10, 0, total=100, wall_s=300.0)
    'sweep: 100 of 100 points, 0.3 points/s, took 5 min'
    """
    rate = done / max(wall_s, 1e-9)
    left = total - before - done
    told = f", {refused:,} refused" if refused else ""
    ending = f"{_span(left / rate)} left" if left else f"took {_span(wall_s)}"
    return (
        f"sweep: {before + done:,} of {total:,} points{told}, {rate:.1f} points/s, "
        f"{ending}"
    )


def _span(seconds: float) -> str:
    if seconds < 2 * _S_PER_MINUTE:
        return f"{seconds:.0f} s"
    if seconds < 2 * _S_PER_HOUR:
        return f"{seconds / _S_PER_MINUTE:.0f} min"
    return f"{seconds / _S_PER_HOUR:.1f} h"
