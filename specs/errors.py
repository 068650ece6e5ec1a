"""Every error a caller may want to tell apart.

::

    RackError
    ├── SpecError         a model, machine or scenario says something impossible
    ├── TopologyError     the wiring asked for cannot be built
    ├── PlanError         the model does not fit the machine in this split
    ├── ScheduleError     the compiler found no schedule that holds
    ├── VerificationError a schedule breaks one of the machine's rules
    ├── OutputError       a result cannot be written where it should go
    └── SweepError        the processes or the cluster of a sweep cannot go on

All of them mean "the input is infeasible or wrong" and end the command with exit
code 2. A bug of our own is an ``AssertionError`` instead.
"""

import difflib
from collections.abc import Iterable


class RackError(Exception):
    """Root of the errors that groqrack-fabric raises on purpose."""


class SpecError(RackError, ValueError):
    """A model, machine or scenario has a key or value that cannot be meant."""


class TopologyError(RackError, ValueError):
    """The wiring asked for cannot be built."""


class PlanError(RackError, ValueError):
    """The model does not fit the machine in the split asked for."""


class ScheduleError(RackError, ValueError):
    """No schedule holds under the machine's timing."""


class VerificationError(RackError, ValueError):
    """A schedule breaks one of the machine's rules."""


class OutputError(RackError, OSError):
    """A result cannot be written where it should go."""


class SweepError(RackError, OSError):
    """The processes or the cluster that a sweep runs on cannot go on."""


def nearest(word: str, known: Iterable[str]) -> str:
    """Return a hint naming the known word most like `word`, or all of them.

    >>> nearest("flite_ps", ["flight_ps", "rate_gbps"])
    "did you mean 'flight_ps'?"
    >>> nearest("zzz", ["node", "rack"])
    'known: node, rack'
    """
    words = sorted(known)
    close = difflib.get_close_matches(word, words, n=1, cutoff=0.5)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"known: {', '.join(words)}"
