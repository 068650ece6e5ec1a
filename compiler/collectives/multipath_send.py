"""Multipath send: one tensor spread over several link-disjoint paths.

A non-minimal path is longer, but its links are free. It pays once serialisation on the
direct link takes longer than the extra latency. The vectors are divided such that all
paths end at the same time.
"""

import numpy as np

from compiler.collectives.phases import Phase, phase
from compiler.collectives.pieces import each_message
from compiler.cost.link_timing import LinkTiming
from compiler.routing.disjoint_paths import disjoint_paths, vectors_per_path
from specs.machine import MachineSpec
from topologies.topology import Topology


def spread(
    topology: Topology,
    machine: MachineSpec,
    timing: LinkTiming,
    *,
    source: int,
    target: int,
    vectors: int,
    most_paths: int | None = None,
) -> tuple[Phase, ...]:
    """Return the phase of a collective that sends a tensor over all paths that pay.

    Parameters
    ----------
    topology, machine, timing
        Links and chips.
    source, target
        Chips at both ends.
    vectors
        Vectors of the tensor.
    most_paths
        Paths that may be used; all if None.
    """
    paths = disjoint_paths(topology, timing, source, target)[:most_paths]
    fixed = np.array([path.fixed_cycles for path in paths], dtype=np.int64)
    share = vectors_per_path(machine, fixed, vectors)
    used = np.flatnonzero(share)
    longest = max(len(paths[place].links) for place in used)
    table = np.full((len(used), longest), -1, dtype=np.int64)
    for row, place in enumerate(used.tolist()):
        table[row, : len(paths[place].links)] = paths[place].links
    end = np.cumsum(share[used])
    return tuple(
        phase(
            np.array(source),
            np.array(target),
            share[used],
            path=table,
            pieces=each_message(end - share[used], end),
        )
    )
