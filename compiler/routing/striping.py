"""Striping: a message shared out over the parallel cables of its way."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from specs.arrays import Ints
from specs.machine import MachineSpec
from topologies.routing.parallel_links import Lanes


class Stripes(NamedTuple):
    """Parts of messages, each with a way of its own.

    Attributes
    ----------
    message
        Which message it is a part of, shape ``(stripes,)``, ascending.
    path
        Directed links in order, -1 after the last, shape ``(stripes, longest path)``.
    vectors
        Vectors of the part, shape ``(stripes,)``, none of them 0.
    """

    message: Ints
    path: NDArray[np.int32]
    vectors: Ints


def striped(
    lanes: Lanes, machine: MachineSpec, paths: NDArray[np.integer], vectors: Ints
) -> Stripes:
    """Return messages shared out over as many parallel cables as the machine uses.

    Parameters
    ----------
    lanes
        The parallel cables.
    machine
        Its links say over how many cables a message goes at most.
    paths
        Directed links of each message, -1 after the last, shape
        ``(messages, longest path)``.
    vectors
        Vectors of each message, shape ``(messages,)``; none goes over more cables.
    """
    found = lanes.beside(paths, np.minimum(vectors, machine.link.stripe_cables))
    whole = vectors[found.row]
    end = (found.lane + 1) * whole // found.lanes
    return Stripes(found.row, found.path, end - found.lane * whole // found.lanes)
