"""Rare events: successes among many independent trials, one draw for each success."""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fabric.random_streams import Draws, Stream, component_keys
from specs.arrays import Ints

# Draws beyond the expected number, in standard deviations; more are rarely needed.
_MARGIN = 4


class Trials(NamedTuple):
    """Independent trials, in runs of equal probability.

    Attributes
    ----------
    ends
        Number of trials up to the end of each run, shape ``(runs,)``.
    odds
        Probability that a trial of the run succeeds, shape ``(runs,)``.
    most
        Largest of these probabilities.
    """

    ends: Ints
    odds: NDArray[np.float64]
    most: float


def trials(count: Ints, odds: NDArray[np.float64]) -> Trials:
    """Return a link's trials of rare errors: runs of `count`, each with `odds`."""
    return Trials(np.cumsum(count), odds, float(odds.max(initial=0.0)))


def hits(draws: Draws, stream: Stream, event: int, of: Trials) -> Ints:
    """Return the vectors that a link's rare errors hit: runs, in ascending order.

    The number of failures before a success is geometric, so one draw for each success
    is enough: a token has 10^5 codewords, of which hardly one is ever damaged. Where
    probabilities differ, candidates are drawn at the largest one and thinned in
    proportion.

    Parameters
    ----------
    draws, stream, event
        Random numbers, their stream and event.
    of
        Trials.
    """
    count = int(of.ends[-1]) if len(of.ends) else 0
    successes: list[Ints] = [np.zeros(0, dtype=np.int64)]
    if of.most <= 0:
        return successes[0]
    expected = count * min(of.most, 1.0)
    batch = int(expected + _MARGIN * math.sqrt(expected)) + 1
    begin, used = 0, 0
    while begin < count:
        draw = np.arange(used, used + batch)
        if of.most < 1:
            uniform = draws.uniform(stream, draw, event)
            failures = np.minimum(np.log(uniform) / math.log1p(-of.most), count)
            places = begin + np.cumsum(failures.astype(np.int64) + 1) - 1
        else:
            places = begin + np.arange(batch)
        within = places < count
        runs = np.searchsorted(of.ends, places[within], "right")
        if len(runs):
            keep = draws.uniform(stream, component_keys(1 + 0 * draw, draw), event)
            runs = runs[keep[within] * of.most < of.odds[runs]]
        successes.append(runs)
        begin, used = int(places[-1]) + 1, used + batch
    return np.concatenate(successes)
