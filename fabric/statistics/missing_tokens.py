"""Missing tokens of a run: those that were not delivered, and why."""

from collections.abc import Sequence

import numpy as np

from fabric.faults.delivery import SequenceState
from fabric.results.result import IterationRow, Missing


def missing_tokens(
    iterations: Sequence[IterationRow], waiting: Sequence[SequenceState], tokens: int
) -> tuple[Missing, ...]:
    """Return the undelivered tokens of a run's statistics, by sequence, with reasons.

    Parameters
    ----------
    iterations
        All iterations of the run.
    waiting
        State of each sequence after the run.
    tokens
        Tokens wanted of each sequence.
    """
    delivered = np.zeros((len(waiting), tokens), dtype=bool)
    for row in iterations:
        delivered[row.sequence, row.token] |= row.delivered
    missing = []
    for sequence, state in enumerate(waiting):
        undelivered = np.flatnonzero(~delivered[sequence, : state.token])
        gaps = np.flatnonzero(np.diff(undelivered) > 1) + 1
        for span in np.split(undelivered, gaps):
            if len(span):
                reason = "vectors broke the schedule"
                first, last = int(span[0]), int(span[-1])
                missing.append(Missing(sequence, first, last, reason))
        if state.token < tokens:
            missing.append(Missing(sequence, state.token, tokens - 1, state.given_up))
    return tuple(missing)
