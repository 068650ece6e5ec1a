import json
import logging

import pytest

from serving.endpoint.request_log import log_event, log_to_stderr


def test_an_event_is_a_line_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    logger = logging.getLogger("groqrack.serve")
    try:
        log_to_stderr()
        log_event("request", queue_ms=1.5, outcome="two\nlines", late_ms=None)
    finally:
        logger.handlers.clear()
        logger.setLevel(logging.WARNING)
    (line,) = capsys.readouterr().err.splitlines()
    told = json.loads(line)
    assert told.pop("time_s") > 0
    assert told == {"event": "request", "queue_ms": 1.5, "outcome": "two\nlines"}


def test_nothing_is_logged_unless_it_is_asked_for(
    capsys: pytest.CaptureFixture[str],
) -> None:
    log_event("request")
    assert capsys.readouterr().err == ""
