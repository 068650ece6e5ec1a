"""Progress of long work: what it says of itself, and who listens."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

# Called with what is going on, how much of it is done, and how much there is; 0 if that
# is not known before its end.
Listener = Callable[[str, int, int], None]

_LISTENER: ContextVar[Listener | None] = ContextVar("listener", default=None)


def report_progress(what: str, done: int, total: int = 0) -> None:
    """Tell the listener, if there is one, how far some work is.

    Results never depend on it.

    Parameters
    ----------
    what
        The work, as in ``"simulating tokens"``.
    done, total
        Pieces of it that are done, and all there are; 0 if nobody knows.
    """
    listener = _LISTENER.get()
    if listener is not None:
        listener(what, done, total)


@contextmanager
def progress_told_to(listener: Listener) -> Iterator[None]:
    """Send the progress of all work inside the ``with`` block to a listener.

    >>> with progress_told_to(print):
    ...     report_progress("planning", 1, 3)
    planning 1 3
    """
    token = _LISTENER.set(listener)
    try:
        yield
    finally:
        _LISTENER.reset(token)


@contextmanager
def progress_as_part(part: str) -> Iterator[None]:
    """Tell progress of all work inside the ``with`` block as that of a part of more.

    >>> with progress_told_to(print), progress_as_part("part 2"):
    ...     report_progress("planning", 1, 3)
    part 2, planning 1 3
    """
    listener = _LISTENER.get()
    if listener is None:
        yield
        return
    with progress_told_to(
        lambda what, done, total: listener(f"{part}, {what}", done, total)
    ):
        yield
