"""Random streams: counter-based random numbers, one stream for each random quantity.

A draw is a pure function of the seed, the stream, the component and the event, such as
the third train on a link in iteration 7. It does not depend on the order of events. So
every engine draws the same numbers, and a further chip or link changes no other draw.

NumPy's generators would need one object per link and 13 us to make each: at 6,336
links half the time of a simulated token. The hash used instead is the finaliser of
SplitMix64 by Steele, Lea and Flood, "Fast splittable pseudorandom number generators",
OOPSLA 2014, doi 10.1145/2660193.2660195, keyed by NumPy's `SeedSequence`.
"""

from enum import IntEnum
from typing import final

import numpy as np
from numpy.typing import NDArray

Keys = NDArray[np.uint64]


class Stream(IntEnum):
    """Random quantity; its number selects the key, so the order must not change."""

    CRYSTAL = 0
    PHASE = 1
    BRING_UP = 2
    JITTER = 3
    CORRECTED = 4
    UNCORRECTABLE = 5
    START_JITTER = 6
    TRACKING = 7
    WALK = 8
    ARRIVAL = 9
    DESTINATION = 10


def _mixed(keys: Keys) -> Keys:
    """Return the SplitMix64 finaliser of each key of the fabric's random draws."""
    with np.errstate(over="ignore"):
        keys = (keys ^ (keys >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        keys = (keys ^ (keys >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return keys ^ (keys >> np.uint64(31))


@final
class Draws:
    """Random bits and uniform numbers for every component and event of a run.

    Parameters
    ----------
    seed
        Seed of the run, not negative.
    start
        Number of the start of the machine, 0 for the first and for all other draws;
        every start draws other numbers.
    """

    def __init__(self, seed: int, start: int = 0) -> None:
        key = (start,) if start else ()
        children = np.random.SeedSequence(seed, spawn_key=key).spawn(len(Stream))
        self._keys = [child.generate_state(1, np.uint64) for child in children]

    def uniform(
        self, stream: Stream, component: NDArray[np.integer], event: int = 0
    ) -> NDArray[np.float64]:
        """Return a number in (0, 1) for each component; parameters as for `bits`."""
        bits = self.bits(stream, component, event) >> np.uint64(12)
        # 52 bits and a half are exact in a float, so the result is neither 0 nor 1.
        return (bits.astype(np.float64) + 0.5) * 2.0**-52

    def bits(
        self,
        stream: Stream,
        component: NDArray[np.integer],
        event: int | NDArray[np.integer] = 0,
    ) -> Keys:
        """Return 64 random bits for each component.

        Parameters
        ----------
        stream
            Random quantity.
        component
            Numbers of the components, not negative.
        event
            Number of the event, such as an iteration; an array is broadcast against
            the components.
        """
        return self.bits_of(stream, self.keys(stream, component), event)

    def keys(self, stream: Stream, component: NDArray[np.integer]) -> Keys:
        """Return the keys of components for `bits_of`, the same for all events."""
        with np.errstate(over="ignore"):
            # Odd constants spread counters over all 64 bits before they are mixed.
            keys = component.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
            return _mixed(keys + self._keys[stream])

    def bits_of(
        self, stream: Stream, keys: Keys, event: int | NDArray[np.integer]
    ) -> Keys:
        """Return `bits` of components from their `keys`."""
        step = np.atleast_1d(np.asarray(event, dtype=np.uint64))
        with np.errstate(over="ignore"):
            salt = (step + np.uint64(1)) * np.uint64(0xD1B54A32D192ED03)
            salt = _mixed(salt + self._keys[stream])
        return _mixed(keys ^ salt)


def component_keys(
    major: NDArray[np.integer], minor: NDArray[np.integer]
) -> NDArray[np.int64]:
    """Return a key of the fabric's random draws for each pair, as link and ordinal."""
    return major.astype(np.int64) * 2**32 + minor


def ordinals(groups: NDArray[np.integer]) -> NDArray[np.int64]:
    """Return the ordinal of each number among its equals, keys of the fabric's draws.

    >>> ordinals(np.array([7, 3, 7, 7, 3])).tolist()
    [0, 0, 1, 2, 1]
    """
    order = np.argsort(groups, kind="stable")
    ordered = groups[order]
    first = np.concatenate([[True], ordered[1:] != ordered[:-1]])[: len(ordered)]
    place = np.arange(len(ordered))
    begins = np.maximum.accumulate(np.where(first, place, 0))
    result = np.empty(len(ordered), dtype=np.int64)
    result[order] = place - begins
    return result
