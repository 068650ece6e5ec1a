"""Slack: time from a vector's arrival to its RECEIVE, exact for whole trains."""

import numpy as np
from numpy.typing import NDArray

from specs.arrays import Ints
from specs.machine import MachineSpec
from specs.units import AS_PER_PS

UNLIMITED_PS = 2**62
"""Slack of a train that was lost, or whose receiver has stopped."""


def tail_cycles(vectors: NDArray[np.integer], machine: MachineSpec) -> Ints:
    """Return the cycles a link takes from each train's first vector to its last.

    Parameters
    ----------
    vectors
        Vectors of each train, shape ``(trains,)`` as the result.
    machine
        Links and nominal clock.
    """
    last = vectors.astype(np.int64) - 1
    return machine.line.offsets_cycles(last)


def slack_growth_ps(cycles: Ints, drift_as: Ints) -> Ints:
    """Return the growth of slack on a link `cycles` after a first vector, in ps.

    Parameters
    ----------
    cycles
        Cycles from the first vector to another, the same on both sides.
    drift_as
        Receiver's clock period less the sender's, in attoseconds.
    """
    return cycles * drift_as // AS_PER_PS


def least_slack_ps(head_ps: Ints, tail_cycles: Ints, drift_as: Ints) -> Ints:
    """Return the least slack on a link of all vectors of each train, in ps.

    Vector ``i`` enters the wire some cycles after the first and is taken the same
    number of cycles after the first, each by its own crystal. So slack grows by the
    difference of the two periods in each cycle, it is monotone along the train, and its
    least value is at one of the ends.

    Parameters
    ----------
    head_ps
        Slack of the first vector, negative if it is late.
    tail_cycles
        Cycles from the first vector to the last.
    drift_as
        Receiver's clock period less the sender's, in attoseconds.
    """
    return head_ps + np.minimum(0, slack_growth_ps(tail_cycles, drift_as))
