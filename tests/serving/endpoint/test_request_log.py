import io
import json
import logging
import threading
import time
from collections.abc import Iterator

import pytest

from serving.endpoint.request_log import (
    QueuedLines,
    ServerEvents,
    log_event,
    log_to_stderr,
)


@pytest.fixture(autouse=True)
def _quiet_again() -> Iterator[None]:
    yield
    logger = logging.getLogger("groqrack.serve")
    logger.handlers.clear()
    logger.setLevel(logging.WARNING)


def test_an_event_is_a_line_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    handler = log_to_stderr()
    log_event("request", queue_ms=1.5, outcome="two\nlines", late_ms=None)
    handler.finish(5)
    (line,) = capsys.readouterr().err.splitlines()
    told = json.loads(line)
    assert told.pop("time_s") > 0
    assert told == {"event": "request", "queue_ms": 1.5, "outcome": "two\nlines"}


class Stuck(io.StringIO):
    """Stream that writes nothing until it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.let = threading.Event(), threading.Event()

    def write(self, text: str) -> int:
        self.begun.set()
        assert self.let.wait(10)
        return super().write(text)


def test_a_reader_that_is_slow_holds_nothing_up_and_loses_lines() -> None:
    stream = Stuck()
    handler = QueuedLines(stream, most_queued=2)

    def log(text: str) -> None:
        handler.handle(logging.makeLogRecord({"msg": text}))

    log("0")
    assert stream.begun.wait(10)
    for text in ("1", "2", "3", "4"):
        log(text)
    handler.finish(0.01)
    stream.let.set()
    while stream.getvalue() != "0\n1\n2\n":
        time.sleep(0.001)
    log("5")
    handler.finish(10)
    *_, dropped, last = stream.getvalue().splitlines()
    assert json.loads(dropped)["dropped"] == 2
    assert last == "5"


def test_what_the_server_reports_is_an_event_too(
    capsys: pytest.CaptureFixture[str],
) -> None:
    handler = log_to_stderr()
    events = ServerEvents()
    events.handle(logging.makeLogRecord({"msg": "odd", "levelname": "WARNING"}))
    failed = ZeroDivisionError("nought")
    facts = {"msg": "defect", "exc_info": (type(failed), failed, None)}
    events.handle(logging.makeLogRecord(facts))
    handler.finish(5)
    odd, defect = map(json.loads, capsys.readouterr().err.splitlines())
    assert (odd["event"], odd["level"], odd["message"]) == ("server", "warning", "odd")
    assert "traceback" not in odd
    assert defect["traceback"] == "ZeroDivisionError: nought\n"


def test_nothing_is_logged_unless_it_is_asked_for(
    capsys: pytest.CaptureFixture[str],
) -> None:
    log_event("request")
    assert capsys.readouterr().err == ""
