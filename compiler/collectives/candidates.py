"""Candidates: the algorithms that apply to a collective on its own."""

import math
from functools import partial

import numpy as np

from compiler.collectives.arguments import tensor_vectors
from compiler.collectives.exchange_phases import exchange_candidates
from compiler.collectives.exchange_sends import MOST_MESSAGES
from compiler.collectives.flat_algorithms import one_shot, ring, scattered, shares
from compiler.collectives.hierarchical import hierarchical_forms
from compiler.collectives.multipath_send import spread
from compiler.collectives.phases import Algorithm, Candidate, Phase, Phases, phase
from compiler.collectives.share_pieces import ExchangePieces
from compiler.cost.link_timing import LinkTiming
from sharding.operators.operators import Exchange, Pattern
from specs.arrays import Ints
from specs.errors import ScheduleError
from specs.machine import MachineSpec
from topologies.topology import Topology
from workloads.collective import Collective


def candidates(
    topology: Topology,
    machine: MachineSpec,
    kind: Collective,
    *,
    chips: Ints,
    payload_bytes: int,
    timing: LinkTiming,
    wanted: Algorithm = Algorithm.AUTO,
    most_paths: int | None = None,
) -> list[Candidate]:
    """Return a collective's candidate algorithms, those of the fewest phases first.

    Parameters
    ----------
    topology, machine
        Links and chips.
    kind, chips, payload_bytes
        Collective, its members, and the bytes of the tensor.
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
    vectors = tensor_vectors(machine, kind, len(chips), payload_bytes)
    of_shares = kind in (Collective.ALL_REDUCE, Collective.BROADCAST)
    if kind in (Collective.ALL_GATHER, Collective.REDUCE_SCATTER):
        edges = np.arange(len(chips) + 1, dtype=np.int64) * payload_bytes // len(chips)
        gathers = kind is Collective.ALL_GATHER
        found = _exchanges(topology, chips, np.diff(edges), gathers=gathers)
    elif of_shares:
        found = _of_shares(topology, machine, kind, chips, vectors)
    else:
        found = []
    unit_bytes = machine.link.vector_bytes
    # An exchange has the algorithms of a token's, and others only where those take too
    # many messages.
    few = [each for each in found if each.messages <= MOST_MESSAGES // 2]
    if of_shares or not few:
        layered = len(np.unique(topology.node[chips])) > 1
        found += [
            each._replace(phases=partial(_scaled, each.phases, unit_bytes))
            for each in _of_vectors(
                topology,
                machine,
                kind,
                chips=chips,
                vectors=vectors,
                # Within a node a hierarchy is the same as one-shot and two-step.
                by_links=layered or wanted is Algorithm.HIERARCHICAL,
            )
        ]
    if kind is Collective.POINT_TO_POINT:
        source, target = chips.tolist()
        send = partial(
            spread,
            topology,
            machine,
            timing,
            source=source,
            target=target,
            vectors=vectors,
            most_paths=most_paths,
        )
        spreading = partial(_scaled, send, unit_bytes)
        found.append(Candidate(Algorithm.SPREAD, "", 1, 1, spreading))
    applicable = [each for each in found if wanted in (Algorithm.AUTO, each.algorithm)]
    few = [each for each in applicable if each.messages <= MOST_MESSAGES]
    if applicable and not few and wanted is not Algorithm.AUTO:
        raise ScheduleError(
            f"{wanted} {kind} among {len(chips):,} chips takes "
            f"{applicable[0].messages:,} messages, and {MOST_MESSAGES:,} are what "
            f"memory holds; use --algorithm hierarchical or fewer chips"
        )
    if not few:
        raise ScheduleError(_inapplicable(kind, chips, wanted))
    return _fitting(machine, vectors, sorted(few, key=lambda each: each.steps))


def _exchanges(
    topology: Topology, chips: Ints, shard_bytes: Ints, *, gathers: bool
) -> list[Candidate]:
    """Return the candidates of an all-gather, or of a reduce-scatter with its sum."""
    pattern = Pattern.GATHER if gathers else Pattern.SCATTER
    exchange = Exchange("", pattern, shard_bytes, np.zeros_like(shard_bytes))
    return [
        each._replace(
            phases=partial(_checked, each.phases, chips, shard_bytes, adds=not gathers)
        )
        for each in exchange_candidates(
            topology, exchange, chips, most_messages=len(chips) ** 2
        )
    ]


def _checked(
    made: Phases, chips: Ints, shard_bytes: Ints, *, adds: bool
) -> tuple[Phase, ...]:
    """Return phases without empty messages, all or none of which add."""
    phases = made()
    shards = ExchangePieces(phases, chips, shard_bytes, adds=adds)
    return tuple(
        kept
        for number, each in enumerate(phases)
        for sent in (each.messages,)
        for kept in phase(
            sent.source,
            sent.target,
            sent.payload_bytes,
            path=sent.path,
            adds=adds,
            pieces=shards.of_phase(number),
        )
    )


def _of_shares(
    topology: Topology,
    machine: MachineSpec,
    kind: Collective,
    chips: Ints,
    vectors: int,
) -> list[Candidate]:
    """Return the candidates that share the tensor out and gather the shares.

    An all-reduce is a reduce-scatter and an all-gather, a broadcast a scatter from the
    root and an all-gather.
    """
    unit_bytes = machine.link.vector_bytes
    shard_bytes = shares(vectors, len(chips)) * unit_bytes
    gathered = _exchanges(topology, chips, shard_bytes, gathers=True)
    if kind is Collective.ALL_REDUCE:
        before = _exchanges(topology, chips, shard_bytes, gathers=False)
    else:
        made = partial(_scaled, partial(scattered, chips, vectors), unit_bytes)
        before = [Candidate(Algorithm.ONE_SHOT, "", 1, len(chips) - 1, made)] * len(
            gathered
        )
    names = {Algorithm.ONE_SHOT: Algorithm.TWO_STEP}
    return [
        Candidate(
            names.get(second.algorithm, second.algorithm),
            second.form,
            first.steps + second.steps,
            first.messages + second.messages,
            partial(_one_after_another, first.phases, second.phases),
        )
        for first, second in zip(before, gathered, strict=True)
        if kind is Collective.ALL_REDUCE or second.algorithm is not Algorithm.RING
    ]


def _one_after_another(first: Phases, second: Phases) -> tuple[Phase, ...]:
    """Return the phases of both."""
    return first() + second()


def _scaled(made: Phases, unit_bytes: int) -> tuple[Phase, ...]:
    """Return phases in bytes from phases in units."""
    return tuple(each.scaled(unit_bytes) for each in made())


def _of_vectors(
    topology: Topology,
    machine: MachineSpec,
    kind: Collective,
    *,
    chips: Ints,
    vectors: int,
    by_links: bool,
) -> list[Candidate]:
    """Return the candidates of any collective whose payloads are in vectors."""
    members = len(chips)
    pairs = members * (members - 1)
    found = []
    if kind not in (Collective.ALL_GATHER, Collective.REDUCE_SCATTER):
        made = partial(one_shot, kind, chips, vectors)
        few = kind in (Collective.BROADCAST, Collective.POINT_TO_POINT)
        count = members - 1 if few else pairs
        found.append(Candidate(Algorithm.ONE_SHOT, "", 1, count, made))
    if kind in (Collective.BROADCAST, Collective.ALL_TO_ALL):
        made = partial(ring, kind, chips, vectors)
        found.append(Candidate(Algorithm.RING, "", members - 1, pairs, made))
    # An all-to-all merges no partial sums, so every pair is held in memory.
    merges = kind is not Collective.ALL_TO_ALL
    if not by_links or (not merges and members**2 > MOST_MESSAGES):
        return found
    stripes = machine.link.stripe_cables
    forms = hierarchical_forms(topology, kind, chips, vectors, stripes=stripes)
    for name, phases in forms.items():
        count = sum(len(each.messages) for each in phases)
        made = partial(tuple, phases)
        found.append(Candidate(Algorithm.HIERARCHICAL, name, len(phases), count, made))
    return found


def _inapplicable(kind: Collective, chips: Ints, wanted: Algorithm) -> str:
    """Return the error message if no algorithm applies."""
    if kind is Collective.ALL_TO_ALL and len(chips) ** 2 > MOST_MESSAGES:
        return (
            f"an all-to-all among {len(chips):,} chips has {len(chips) ** 2:,} pairs, "
            f"and {MOST_MESSAGES:,} are what memory holds; use "
            f"{math.isqrt(MOST_MESSAGES):,} chips at most"
        )
    if wanted is Algorithm.HIERARCHICAL and kind is not Collective.POINT_TO_POINT:
        return (
            f"no hierarchical {kind} among these {len(chips):,} chips: some of a node, "
            f"some nodes of a rack or some racks are not linked directly; take whole "
            f"nodes, or --algorithm two-step or ring"
        )
    if wanted is Algorithm.AUTO:
        return (
            f"{kind} among {len(chips):,} chips takes more than {MOST_MESSAGES:,} "
            f"messages and has no hierarchy; take whole nodes or fewer chips"
        )
    return f"{kind} has no {wanted} algorithm; use --algorithm one-shot or auto"


def _fitting(
    machine: MachineSpec, vectors: int, found: list[Candidate]
) -> list[Candidate]:
    """Return the candidates whose tensor and partial sums fit into a chip's SRAM."""
    made = [(each, each.phases()) for each in found]
    held = [_held_bytes(machine, vectors, phases) for _, phases in made]
    room = machine.chip.sram_bytes - machine.chip.program_reserve_bytes
    if min(held) > room:
        raise ScheduleError(
            f"a tensor of {vectors:,} vectors and what arrives to be added to it take "
            f"{min(held):,} bytes of a chip, and its SRAM has room for {room:,} beside "
            f"the program; use a tensor of {100 * room // min(held)} % of that size"
        )
    return [
        each._replace(steps=len(phases), phases=partial(tuple, phases))
        for (each, phases), size in zip(made, held, strict=True)
        if size <= room
    ]


def _held_bytes(machine: MachineSpec, vectors: int, phases: tuple[Phase, ...]) -> int:
    """Return the bytes of the tensor and of the partial sums a chip adds at once."""
    arriving = max(
        (
            int(np.bincount(sent.target, weights=sent.payload_bytes).max())
            for sent in {each.messages for each in phases if each.adds}
        ),
        default=0,
    )
    return vectors * machine.link.vector_bytes + arriving
