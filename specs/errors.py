"""Error classes that a caller can tell apart.

::

    RackError
    ├── SpecError         a model, machine or scenario has an invalid key or value
    ├── TopologyError     a topology cannot be built
    ├── PlanError         the model does not fit the machine under this strategy
    ├── ScheduleError     no schedule satisfies the machine's timing
    ├── VerificationError a schedule breaks a rule of the machine
    ├── OutputError       a result cannot be written to its destination
    └── SweepError        the processes or the cluster of a sweep failed

All of them mean "the input is infeasible or wrong" and end the command with exit
code 2. A defect of this program raises an ``AssertionError`` instead.
"""

import difflib
import re
from collections.abc import Iterable


class RackError(Exception):
    """Root of the errors that groqrack-fabric raises on purpose."""


class SpecError(RackError, ValueError):
    """Invalid key or value in a model, machine or scenario."""


class TopologyError(RackError, ValueError):
    """Topology that cannot be built."""


class PlanError(RackError, ValueError):
    """Model that does not fit the machine under the requested strategy."""


class ScheduleError(RackError, ValueError):
    """Compilation without a schedule that satisfies the machine's timing."""


class VerificationError(RackError, ValueError):
    """Schedule that breaks a rule of the machine."""


class OutputError(RackError, OSError):
    """Result that cannot be written to its destination."""


class SweepError(RackError, OSError):
    """Failure of the processes or the cluster that run a sweep."""


def nearest(word: str, known: Iterable[str]) -> str:
    """Return a hint for a spec error: the known word closest to `word`, or all words.

    >>> nearest("flite_ps", ["flight_ps", "rate_gbps"])
    "did you mean 'flight_ps'?"
    >>> nearest("zzz", ["node", "rack"])
    'known: node, rack'

    Names are compared as `spelling` writes them.

    >>> nearest("meta-llama/Llama-2-70b-hf", ["llama-2-70b", "llama-2-7b"])
    "did you mean 'llama-2-70b'?"
    """
    words = {spelling(each): each for each in sorted(known)}
    close = difflib.get_close_matches(spelling(word), words, n=1, cutoff=0.5)
    if close:
        return f"did you mean {words[close[0]]!r}?"
    return f"known: {', '.join(words.values())}"


def spelling(name: str) -> str:
    """Return a name without what people spell in several ways.

    These are capitals, the marks between words, and the organisation before a model.

    >>> spelling("meta-llama/Llama-3.1-8B") == spelling("llama-3.1-8b")
    True
    """
    return re.sub(r"[-_ .]", "", name.rpartition("/")[2].lower())
