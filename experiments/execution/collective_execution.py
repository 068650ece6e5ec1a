"""Execution of a collective with drawn numbers, compared with what NumPy makes of them.

A column of the tensor is a byte; each has one number.
"""

from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import DTypeLike

from chip.dataflow import Value
from compiler.compile_collective import CollectiveSchedule, compile_collective
from fabric.functional_engine.executor import execute
from fabric.functional_engine.memory import Absent, Array, ChipMemory, Piece, joined
from fabric.functional_engine.regions import Region
from specs.errors import PlanError, VerificationError
from specs.machine import MachineSpec
from specs.units import ceil_div
from topologies.topology import Topology
from workloads.collective import SUM, TENSOR, Collective, CollectivePlan

# Numbers of all members' tensors that are computed in seconds.
MOST_NUMBERS = 20_000_000
MOST_CHIPS = 72
_OF_ROOT = (Collective.BROADCAST, Collective.POINT_TO_POINT)


@final
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CollectiveExecution:
    """Execution of a collective on simulated chips, beside its reference.

    Parameters
    ----------
    topology, schedule
        Where, and what was executed.
    difference
        The largest difference of a number by the largest number of its slice.
    """

    topology: Topology
    schedule: CollectiveSchedule
    difference: float

    def agrees(self, tolerance: float) -> bool:
        """Return whether all numbers differ by `tolerance` at most."""
        return self.difference <= tolerance


def execute_collective(
    topology: Topology,
    machine: MachineSpec,
    kind: str,
    *,
    payload_bytes: int,
    algorithm: str = "auto",
    seed: int = 1,
    dtype: DTypeLike = np.float32,
) -> CollectiveExecution:
    """Return the execution of a collective among a machine's active chips.

    Parameters
    ----------
    topology, machine, kind, payload_bytes, algorithm
        As for `experiments.run.collective.run_collective`.
    seed
        Seed of the members' tensors.
    dtype
        Floating-point type on the chips; the reference is in 64 bits.

    Raises
    ------
    RackError
        If it is too large, no schedule holds, or a chip lacks what it sends or adds.
    """
    chips = topology.active.astype(np.int64)
    if kind == Collective.POINT_TO_POINT:
        chips = chips[[0, -1]]
    if len(chips) > MOST_CHIPS or len(chips) * payload_bytes > MOST_NUMBERS:
        raise PlanError(
            f"{payload_bytes:,} bytes on each of {len(chips):,} chips are too many to "
            f"execute with real numbers; use {MOST_CHIPS} chips and "
            f"{MOST_NUMBERS // min(len(chips), MOST_CHIPS):,} bytes at most"
        )
    schedule = compile_collective(
        topology, machine, kind, chips, payload_bytes=payload_bytes, algorithm=algorithm
    )
    difference = largest_difference(
        schedule, machine.link.vector_bytes, seed=seed, dtype=dtype
    )
    return CollectiveExecution(
        topology=topology, schedule=schedule, difference=difference
    )


def largest_difference(
    schedule: CollectiveSchedule,
    vector_bytes: int,
    *,
    seed: int = 1,
    dtype: DTypeLike = np.float32,
) -> float:
    """Return the largest difference of a collective's results from their reference.

    Parameters
    ----------
    schedule, seed, dtype
        As for `execute_collective`.
    vector_bytes
        Bytes of a vector, to which slices of an all-to-all are padded.

    Raises
    ------
    VerificationError
        If a chip lacks what it sends or adds, or what it must end with.
    """
    plan, flow = schedule.plan, schedule.program.dataflow
    assert flow is not None
    count = len(plan.members)
    columns = max(plan.payload_bytes, int(flow.carried.last.max(initial=0)))
    drawn = np.random.default_rng(seed).standard_normal((count, columns))
    drawn = drawn.astype(dtype).astype(np.float64)
    held = {
        int(chip): Piece(first, last, parts, drawn[row : row + 1, first:last], 0)
        for row, (chip, (first, last, parts)) in enumerate(
            zip(plan.members.tolist(), _starts(plan, columns), strict=True)
        )
        if first < last
    }
    given = {
        chip: piece._replace(array=piece.array.astype(dtype))
        for chip, piece in held.items()
    }
    done = execute(
        schedule.program,
        weights={},
        settings={},
        inputs={Value(TENSOR, 0): given},
        dtype=dtype,
    )
    value = Value(SUM if plan.kind.adds else TENSOR, 0)
    pieces = done.held(value)
    worst = 0.0
    for row, chip in enumerate(plan.members.tolist()):
        for region, expected in _ends(plan, row, drawn, vector_bytes):
            own = _read(pieces.get(chip, []), region, value.name, chip)
            largest = np.abs(expected).max()
            worst = max(worst, float(np.abs(own - expected).max() / largest))
    return worst


def _starts(plan: CollectivePlan, columns: int) -> list[tuple[int, int, int]]:
    """Return the columns and parts that each member starts with."""
    count = len(plan.members)
    if plan.kind in _OF_ROOT:
        return [(0, columns, 1), *[(0, 0, 1)] * (count - 1)]
    if plan.kind is Collective.ALL_GATHER:
        return [(*_slice(plan, row), 1) for row in range(count)]
    return [(0, columns, 1 << row) for row in range(count)]


def _slice(plan: CollectivePlan, row: int) -> tuple[int, int]:
    """Return the columns of a member's slice."""
    count, size = len(plan.members), plan.payload_bytes
    return row * size // count, (row + 1) * size // count


def _ends(
    plan: CollectivePlan, row: int, drawn: Array, vector_bytes: int
) -> list[tuple[Region, Array]]:
    """Return the regions that a member must end with, and their numbers."""
    size, kind = plan.payload_bytes, plan.kind
    if kind is Collective.ALL_TO_ALL:
        share = ceil_div(ceil_div(size, len(drawn)), vector_bytes) * vector_bytes
        first, last = row * share, (row + 1) * share
        return [
            (Region(0, first, last, 1 << part), tensor[None, first:last])
            for part, tensor in enumerate(drawn)
        ]
    first, last = 0, size
    if kind is Collective.REDUCE_SCATTER:
        first, last = _slice(plan, row)
    if kind.adds:
        expected = drawn.sum(axis=0)
    elif kind is Collective.ALL_GATHER:
        edges = [_slice(plan, each) for each in range(len(drawn))]
        expected = np.concatenate(
            [tensor[a:b] for tensor, (a, b) in zip(drawn, edges, strict=True)]
        )
    else:
        expected = drawn[0]
    if first == last:
        return []
    return [(Region(0, first, last, 1), expected[None, first:last])]


def _read(pieces: list[Piece], region: Region, name: str, chip: int) -> Array:
    """Return the numbers of a region that a chip holds in the end."""
    memory = ChipMemory()
    for piece in pieces:
        memory.write(0, piece._replace(since=0))
    found = memory.find(region, 0)
    if isinstance(found, Absent):
        raise VerificationError(f"chip {chip} ends without {name}, {found}")
    return joined(found)
