"""Candidates: the algorithms that apply to a collective, each with a lower bound."""

import math
from functools import partial
from typing import NamedTuple

import numpy as np

from compiler.collectives.flat_algorithms import direct_messages, direct_stages
from compiler.collectives.hierarchical import hierarchical_forms
from compiler.collectives.multipath_send import spread_stage
from compiler.collectives.stages import (
    Algorithm,
    Collective,
    CollectiveStage,
    adding_up,
)
from compiler.cost.link_timing import LinkTiming, hop_cycles
from compiler.ir.identity_map import IdentityMap
from specs.arrays import Ints
from specs.errors import ScheduleError
from specs.machine import MachineSpec
from topologies.topology import Topology

# Messages of one collective that are scheduled in some seconds and a gigabyte.
_MOST_MESSAGES = 2_000_000


class Candidate(NamedTuple):
    """Candidate: an algorithm with its stages and lower bound.

    Attributes
    ----------
    algorithm, form
        Algorithm, and its form where it has several.
    stages
        Stages in order.
    bound_cycles
        Lower bound of its latency.
    """

    algorithm: Algorithm
    form: str
    stages: list[CollectiveStage]
    bound_cycles: int

    def __str__(self) -> str:
        """Return the algorithm with its form."""
        return f"{self.form} {self.algorithm}" if self.form else f"{self.algorithm}"


def candidates(
    topology: Topology,
    machine: MachineSpec,
    kind: Collective,
    *,
    chips: Ints,
    vectors: int,
    timing: LinkTiming,
    wanted: Algorithm = Algorithm.AUTO,
    most_paths: int | None = None,
) -> list[Candidate]:
    """Return a collective's candidate algorithms, in ascending order of lower bounds.

    Parameters
    ----------
    topology, machine
        Links and chips.
    kind, chips, vectors
        Collective, its members, and the vectors of the tensor.
    timing
        Timing of the links, with about the guard band of the final schedule.
    wanted
        Algorithm; `AUTO` for all.
    most_paths
        Paths over which a point-to-point tensor may be spread, all if None.

    Raises
    ------
    ScheduleError
        If the algorithm does not apply or takes more messages than memory holds.
    """
    applicable: list[tuple[Algorithm, str, list[CollectiveStage]]] = []
    for algorithm in (Algorithm.ONE_SHOT, Algorithm.TWO_STEP, Algorithm.RING):
        if wanted not in (Algorithm.AUTO, algorithm):
            continue
        messages = direct_messages(kind, algorithm, len(chips))
        if messages > _MOST_MESSAGES:
            if wanted is algorithm:
                raise ScheduleError(
                    f"{algorithm} {kind} among {len(chips):,} chips takes "
                    f"{messages:,} messages, and {_MOST_MESSAGES:,} are what memory "
                    f"holds; use --algorithm hierarchical or fewer chips"
                )
            continue
        stages = direct_stages(kind, algorithm, chips, vectors)
        if stages:
            applicable.append((algorithm, "", stages))
    # Within a node a hierarchy is the same as one-shot and two-step.
    layered = len(np.unique(topology.node[chips])) > 1
    # An all-to-all merges no partial sums, so every pair is held in memory.
    pairs = len(chips) ** 2 if kind is Collective.ALL_TO_ALL else 0
    if pairs <= _MOST_MESSAGES and (
        wanted is Algorithm.HIERARCHICAL or (wanted is Algorithm.AUTO and layered)
    ):
        stripes = machine.link.stripe_cables
        forms = hierarchical_forms(topology, kind, chips, vectors, stripes=stripes)
        applicable += [
            (Algorithm.HIERARCHICAL, name, made) for name, made in forms.items()
        ]
    if kind is Collective.POINT_TO_POINT and wanted in (
        Algorithm.AUTO,
        Algorithm.SPREAD,
    ):
        source, target = chips.tolist()
        spread = spread_stage(
            topology,
            machine,
            timing,
            source=source,
            target=target,
            vectors=vectors,
            most_paths=most_paths,
        )
        if wanted is Algorithm.SPREAD or len(spread.vectors) > 1:
            applicable.append((Algorithm.SPREAD, "", [spread]))
    if not applicable:
        raise ScheduleError(_inapplicable(kind, chips, wanted))
    held = [_held_bytes(machine, vectors, stages) for _, _, stages in applicable]
    room = machine.chip.sram_bytes - machine.chip.program_reserve_bytes
    if min(held) > room:
        raise ScheduleError(
            f"a tensor of {vectors:,} vectors and what arrives to be added to it take "
            f"{min(held):,} bytes of a chip, and its SRAM has room for {room:,} beside "
            f"the program; use a tensor of {100 * room // min(held)} % of that size"
        )
    fitting = [
        each for each, size in zip(applicable, held, strict=True) if size <= room
    ]
    degree = np.bincount(topology.source, minlength=topology.chips)
    made = [
        Candidate(algorithm, form, stages, _bound_cycles(machine, degree, stages))
        for algorithm, form, stages in fitting
    ]
    return sorted(made, key=lambda candidate: candidate.bound_cycles)


def _inapplicable(kind: Collective, chips: Ints, wanted: Algorithm) -> str:
    """Return the error message if no algorithm applies."""
    if kind is Collective.ALL_TO_ALL and len(chips) ** 2 > _MOST_MESSAGES:
        return (
            f"an all-to-all among {len(chips):,} chips has {len(chips) ** 2:,} pairs, "
            f"and {_MOST_MESSAGES:,} are what memory holds; use "
            f"{math.isqrt(_MOST_MESSAGES):,} chips at most"
        )
    if wanted is Algorithm.HIERARCHICAL and kind is not Collective.POINT_TO_POINT:
        return (
            f"no hierarchical {kind} among these {len(chips):,} chips: some of a node, "
            f"some nodes of a rack or some racks are not linked directly; take whole "
            f"nodes, or --algorithm two-step or ring"
        )
    if wanted is Algorithm.AUTO:
        return (
            f"{kind} among {len(chips):,} chips takes more than {_MOST_MESSAGES:,} "
            f"messages and has no hierarchy; take whole nodes or fewer chips"
        )
    return f"{kind} has no {wanted} algorithm; use --algorithm one-shot or auto"


def _held_bytes(
    machine: MachineSpec, vectors: int, stages: list[CollectiveStage]
) -> int:
    """Return the bytes of the tensor and of the partial sums a chip adds at once."""
    arriving = max(
        (
            int(np.bincount(made.target, weights=made.vectors).max())
            for made in {id(made): made for made in stages}.values()
            if made.reduces
        ),
        default=0,
    )
    return (vectors + arriving) * machine.link.vector_bytes


def _bound_cycles(
    machine: MachineSpec, degree: Ints, stages: list[CollectiveStage]
) -> int:
    """Return the lower bound of stages: the sum of the bounds of each."""
    known: IdentityMap[CollectiveStage, int] = IdentityMap()
    compute = partial(_stage_cycles, machine, degree)
    return sum(known.of(stage, compute) for stage in stages)


def _stage_cycles(machine: MachineSpec, degree: Ints, made: CollectiveStage) -> int:
    """Return the bound of a stage: its longest message, or the links of a chip."""
    # `hop_cycles` divides by the parallel cables; the links of a chip are all counted.
    stripes = machine.link.stripe_cables
    longest = int(made.vectors.max())
    for end in (made.source, made.target):
        handled = np.bincount(end, weights=made.vectors, minlength=len(degree))
        busy = int(np.ceil(handled / np.maximum(degree, 1)).max())
        longest = max(longest, stripes * busy)
    adding = adding_up(machine, made)
    return hop_cycles(machine, longest) + int(adding.cycles.max(initial=0))
