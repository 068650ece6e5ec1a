"""Request log: one line of JSON for each request and event of the endpoint."""

import json
import logging
import sys
import time
from typing import Any

_LOGGER = logging.getLogger("groqrack.serve")


def log_to_stderr() -> None:
    """Write the log to the error stream, a line each."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(message)s"))
    _LOGGER.handlers[:] = [handler]
    _LOGGER.setLevel(logging.INFO)
    _LOGGER.propagate = False


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
    _LOGGER.info(json.dumps({"time_s": round(time.time(), 3), "event": event, **told}))
