"""Striping: a message divided over the parallel cables of its path."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from specs.arrays import Ints
from specs.machine import MachineSpec
from topologies.routing.parallel_links import Lanes


class Stripes(NamedTuple):
    """Stripes: parts of messages, each with its own path.

    Attributes
    ----------
    message
        Row of the message, shape ``(stripes,)``, ascending.
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
    """Return the stripes in which messages are routed over a machine's parallel cables.

    Parameters
    ----------
    lanes
        Parallel cables of each link.
    machine
        Its link specification sets the most cables of a message.
    paths
        Directed links of each message, -1 after the last, shape
        ``(messages, longest path)``.
    vectors
        Vectors of each message, shape ``(messages,)``; the most cables that it uses.
    """
    laned = lanes.beside(paths, np.minimum(vectors, machine.link.stripe_cables))
    whole = vectors[laned.row]
    end = (laned.lane + 1) * whole // laned.lanes
    return Stripes(laned.row, laned.path, end - laned.lane * whole // laned.lanes)
