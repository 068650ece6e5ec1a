"""Times of every vector of a run: when it is sent, arrives and is taken, exactly.

The engines evaluate trains, whose ends bound the slack between. Here each vector's
cycle is evaluated on both crystals, a block of trains of one length at a time.
"""

from collections.abc import Iterator
from typing import NamedTuple, final

import numpy as np

from chip.program import Opcode, Program
from fabric.clocks.clock import cycles_at
from fabric.clocks.crystals import make_clocks
from fabric.random_streams import Draws
from fabric.results.result import Record
from specs.arrays import Ints
from specs.errors import SpecError
from specs.machine import MachineSpec
from specs.units import PS_PER_S
from topologies.topology import Topology

# Vectors evaluated at once, so that the arrays stay in a core's cache.
_BLOCK_VECTORS = 2**15


class VectorTimes(NamedTuple):
    """Times of the vectors of some trains of one length, in ps of global time.

    Attributes
    ----------
    train
        Numbers of the trains, shape ``(trains,)``.
    sent_ps, arrival_ps, taken_ps
        When each vector enters the wire, lies decoded in the FIFO and leaves it, shape
        ``(trains, vectors)``.
    """

    train: Ints
    sent_ps: Ints
    arrival_ps: Ints
    taken_ps: Ints


@final
class VectorTally(NamedTuple):
    """Totals over all vectors of an iteration.

    Attributes
    ----------
    vector_hops
        Vectors evaluated, each once on every link.
    late
        Vectors that arrived after they should be taken.
    least_slack_ps
        Least time from the arrival of a vector to its take.
    last_taken_ps
        Time of the last take.
    """

    vector_hops: int
    late: int
    least_slack_ps: int
    last_taken_ps: int


def tally_vectors(
    program: Program,
    topology: Topology,
    machine: MachineSpec,
    record: Record,
    *,
    seed: int,
) -> VectorTally:
    """Return the totals over all replayed vectors of an iteration.

    Parameters are those of `vector_times`.
    """
    hops, late, least, last = 0, 0, 2**62, 0
    for block in vector_times(program, topology, machine, record, seed=seed):
        slack = block.taken_ps - block.arrival_ps
        hops += slack.size
        least = min(least, int(slack.min()))
        if least < 0:
            late += int((slack < 0).sum())
        last = max(last, int(block.taken_ps[:, -1].max()))
    return VectorTally(hops, late, least, last)


def vector_times(
    program: Program,
    topology: Topology,
    machine: MachineSpec,
    record: Record,
    *,
    seed: int,
) -> Iterator[VectorTimes]:
    """Return the replayed times of every vector of an iteration, block by block.

    Parameters
    ----------
    program, topology, machine, seed
        Arguments of the run.
    record
        Times of the iteration's instructions and first vectors.

    Raises
    ------
    SpecError
        If the crystals follow a random walk.
    """
    trains, code = program.trains, program.instructions
    sent_ps = np.empty(len(trains), dtype=np.int64)
    taken_ps = np.empty(len(trains), dtype=np.int64)
    sends = (code.opcode == Opcode.SEND) | (code.opcode == Opcode.FORWARD)
    takes = code.opcode == Opcode.RECEIVE
    sent_ps[code.train[sends]] = record.instruction_ps[sends]
    taken_ps[code.train[takes]] = record.instruction_ps[takes]
    clocks = make_clocks(machine, topology.chips, program.leader, Draws(seed))
    hz, phase_ps = clocks.frequency_hz, clocks.phase_ps
    if hz is None:
        raise SpecError(
            "clock.model = 'walk': vectors are evaluated one by one on crystals that "
            "keep their frequency; use clock.model = 'constant'"
        )
    source, target = topology.source[trains.link], topology.target[trains.link]
    order = np.argsort(trains.vectors, kind="stable")
    edges = np.flatnonzero(np.diff(trains.vectors[order])) + 1
    for rows in np.split(order, edges):
        if not len(rows):
            continue
        count = int(trains.vectors[rows[0]])
        cycles = _offset_cycles(machine, count)
        step = max(1, _BLOCK_VECTORS // count)
        for at in range(0, len(rows), step):
            train = rows[at : at + step]
            sender, receiver = source[train], target[train]
            sent = _edges_from(sent_ps[train], hz[sender], phase_ps[sender], cycles)
            taken = _edges_from(
                taken_ps[train], hz[receiver], phase_ps[receiver], cycles
            )
            latency = record.arrival_ps[train] - sent_ps[train]
            yield VectorTimes(train, sent, sent + latency[:, None], taken)


def _offset_cycles(machine: MachineSpec, vectors: int) -> Ints:
    """Return the offset of each replayed vector from its train's first, in cycles."""
    numbers = np.arange(vectors, dtype=np.int64)
    return machine.line.offsets_cycles(numbers)


def _edges_from(first_ps: Ints, hz: Ints, phase_ps: Ints, cycles: Ints) -> Ints:
    """Return the replayed edges some cycles after an edge, each on its own clock.

    Parameters
    ----------
    first_ps
        An edge of each clock, shape ``(clocks,)``.
    hz, phase_ps
        Frequency and phase of each clock.
    cycles
        Cycles after the edge, shape ``(vectors,)``.

    Returns
    -------
    NDArray
        Times in ps, shape ``(clocks, vectors)``.
    """
    period_ps, rest = np.divmod(PS_PER_S, hz)
    # Edge n lies at floor(n x 10^12 / hz). The remainder of the first edge is carried
    # on, so the sum is exact; nothing here exceeds 2^63 for trains of 10^9 cycles.
    number = cycles_at(first_ps, hz, phase_ps)
    left = (number % hz) * rest % hz
    times = left[:, None] + cycles * rest[:, None]
    times //= hz[:, None]
    times += cycles * period_ps[:, None]
    times += first_ps[:, None]
    return times
