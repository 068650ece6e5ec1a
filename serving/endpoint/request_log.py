"""Request log: one line of JSON for each request and event of the endpoint.

Lines are written by a thread of their own, so that a reader who is slow does not hold
up the endpoint. Those that do not fit its queue are dropped, and the next line says how
many.
"""

import json
import logging
import queue
import sys
import threading
import time
import traceback
from typing import Any, TextIO, final

_LOGGER = logging.getLogger("groqrack.serve")
_MOST_QUEUED = 10_000


@final
class QueuedLines(logging.Handler):
    """Handler that leaves writing to a thread.

    Parameters
    ----------
    stream
        Where lines go.
    most_queued
        Lines that may wait to be written.
    """

    def __init__(self, stream: TextIO, most_queued: int = _MOST_QUEUED) -> None:
        super().__init__()
        self._stream = stream
        self._lines: queue.Queue[str | None] = queue.Queue(most_queued)
        self._dropped = 0
        self._thread = threading.Thread(target=self._write, daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        """Queue a line, or drop it."""
        line = record.getMessage()
        if self._dropped:
            told = {"time_s": record.created, "event": "log", "dropped": self._dropped}
            line = f"{json.dumps(told)}\n{line}"
        try:
            self._lines.put_nowait(line)
        except queue.Full:
            self._dropped += 1
        else:
            self._dropped = 0

    def finish(self, seconds: float) -> None:
        """Write what is queued, for so many seconds at most, and end the thread."""
        try:
            self._lines.put(None, timeout=seconds)
        except queue.Full:
            return
        self._thread.join(seconds)

    def _write(self) -> None:
        while (line := self._lines.get()) is not None:
            self._stream.write(f"{line}\n")
            if self._lines.empty():
                self._stream.flush()


def log_to_stderr() -> QueuedLines:
    """Write the log to the error stream, a line each; return the handler to finish."""
    handler = QueuedLines(sys.stderr)
    _LOGGER.handlers[:] = [handler]
    _LOGGER.setLevel(logging.INFO)
    _LOGGER.propagate = False
    return handler


@final
class ServerEvents(logging.Handler):
    """Handler that tells what the HTTP server reports as events of this log."""

    def emit(self, record: logging.LogRecord) -> None:
        """Log a report of the server; of a defect its traceback, too."""
        failed = record.exc_info[1] if record.exc_info else None
        log_event(
            "server",
            level=record.levelname.lower(),
            message=record.getMessage(),
            traceback="".join(traceback.format_exception(failed)) if failed else None,
        )


def log_event(event: str, **facts: Any) -> None:
    """Log an event with its facts; values that are None are left out.

    Parameters
    ----------
    event
        What happened.
    facts
        Facts by name, with their units in the names.
    """
    if not _LOGGER.isEnabledFor(logging.INFO):
        return
    told = {name: value for name, value in facts.items() if value is not None}
    line = json.dumps({"time_s": round(time.time(), 3), "event": event, **told})
    _LOGGER.info("%s", line)
