"""Progress of a sweep on stderr: points done, their rate, and the time left."""

import time
from collections import deque
from typing import TextIO, final

from experiments.tables.status_line import StatusLine, span

# Points that the rate is computed from, so that the start of processes and points of
# another kind soon count no more.
_RECENT = 100
# Below this rate the time of a point is shown instead.
_SLOW_PER_S = 0.1


@final
class SweepProgress:
    """Progress lines of a sweep.

    Parameters
    ----------
    total
        Points of the sweep.
    stream
        Stream to write to; stderr if None.
    """

    def __init__(self, total: int, stream: TextIO | None = None) -> None:
        self._total = total
        self._line = StatusLine(stream)
        self._began_s = time.monotonic()
        self._recent = deque([(self._began_s, 0)], maxlen=_RECENT)

    def __call__(self, done: int, before: int, refused: int) -> None:
        """Show the progress if the interval since the last update is over.

        Parameters
        ----------
        done, before
            Points finished in this run, and in runs before it.
        refused
            Points without numbers, of both.
        """
        now_s = time.monotonic()
        if done == 0:
            if before:
                there = f"sweep: {before:,} of {self._total:,} points were there"
                self._line.write(f"{there} already\n")
            return
        since_s, done_then = self._recent[0]
        self._recent.append((now_s, done))
        finished = done + before == self._total
        if not finished and not self._line.due:
            return
        wall_s = now_s - self._began_s
        line = progress_line(
            done,
            before,
            refused,
            total=self._total,
            wall_s=wall_s,
            rate_per_s=_rate(done, wall_s)
            if finished
            else _rate(done - done_then, now_s - since_s),
        )
        self._line.show(line, last=finished)


def _rate(points: int, seconds: float) -> float:
    """Return the points of a sweep per second."""
    return points / max(seconds, 1e-9)


def progress_line(
    done: int,
    before: int,
    refused: int,
    *,
    total: int,
    wall_s: float,
    rate_per_s: float,
) -> str:
    """Return the progress line of a sweep.

    >>> progress_line(50, 10, 1, total=100, wall_s=11.0, rate_per_s=5.0)
    'sweep: 60 of 100 points, 1 refused, 5.0 points/s, 8 s left'
    >>> progress_line(90, 10, 0, total=100, wall_s=300.0, rate_per_s=0.3)
    'sweep: 100 of 100 points, 0.3 points/s, took 5 min'
    >>> progress_line(90, 0, 0, total=100, wall_s=1800.0, rate_per_s=0.05)
    'sweep: 90 of 100 points, 20 s a point, 3 min left'
    """
    left = total - before - done
    rate = f"{rate_per_s:.1f} points/s"
    if rate_per_s < _SLOW_PER_S:
        rate = f"{span(1 / rate_per_s)} a point"
    refusals = f", {refused:,} refused" if refused else ""
    ending = f"{span(left / rate_per_s)} left" if left else f"took {span(wall_s)}"
    return f"sweep: {before + done:,} of {total:,} points{refusals}, {rate}, {ending}"
