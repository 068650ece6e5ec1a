"""Summary of a topology: size, degree, distances, bisection, fingerprint."""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from specs.arrays import Ints
from topologies.metrics.gateway_distance import gateway_histogram
from topologies.routing.breadth_first import step_histogram
from topologies.topology import Level, Topology

FINGERPRINT_DIGITS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class TopologySummary:
    """Figures of a topology; the field names are the JSON keys of `groqrack topology`.

    Attributes
    ----------
    name
        Name of the topology.
    chips, active_chips
        Chips in the machine, and those a workload may use.
    links
        Cables in the machine.
    links_by_level
        Cables of level ``local``, ``rack`` and ``global``.
    cable_length_m
        Total length of the cables of each level, in m.
    degree
        Fewest (``min``) and most (``max``) links of a chip.
    diameter_hops, mean_hops
        Largest and mean hop count over ordered pairs of different chips.
    hop_histogram
        Ordered pairs of different chips by hop count, over the whole machine.
    diameter_gateway_hops, mean_gateway_hops
        The same by gateway hops: links inside a node that holds neither end of the
        path cost nothing.
    bisection_links
        Cables between the first and the second half of the chips in chip order.
        Another cut may have fewer.
    fingerprint
        First 16 hexadecimal digits of the SHA-256 of the chip count and the sorted
        list of cables with their ports and levels.
    """

    name: str
    chips: int
    active_chips: int
    links: int
    links_by_level: dict[str, int]
    cable_length_m: dict[str, float]
    degree: dict[str, int]
    diameter_hops: int
    mean_hops: float
    hop_histogram: dict[int, int]
    diameter_gateway_hops: int
    mean_gateway_hops: float
    bisection_links: int
    fingerprint: str

    def to_dict(self) -> dict[str, object]:
        """Return the fields in order as values that JSON can hold."""
        return asdict(self)


def describe(topology: Topology) -> TopologySummary:
    """Return the summary of the metrics of `topology`.

    Distances are exact: from every chip, or from ``topology.representatives``, scaled
    to all chips, if symmetry lets them represent all.

    Examples
    --------
    >>> from topologies.builders.node import node_topology
    >>> describe(node_topology()).hop_histogram
    {1: 56}
    """
    sources: Sequence[int] = topology.representatives or range(topology.chips)
    hops = hop_histogram(topology, sources)
    gateway_hops = gateway_histogram(topology, sources)
    scale = topology.chips // len(sources)
    cable_levels = np.bincount(topology.level[::2], minlength=len(Level))
    # Summed exactly: 756 cables of 0.75 m are 567 m in any order.
    length_m = {
        level: math.fsum(topology.length_m[::2][topology.level[::2] == level])
        for level in Level
    }
    degree = np.bincount(topology.source, minlength=topology.chips)
    return TopologySummary(
        name=topology.name,
        chips=topology.chips,
        active_chips=topology.active_chips,
        links=topology.links,
        links_by_level={level.label: int(cable_levels[level]) for level in Level},
        cable_length_m={level.label: length_m[level] for level in Level},
        degree={"min": int(degree.min()), "max": int(degree.max())},
        diameter_hops=len(hops) - 1,
        mean_hops=_mean(hops),
        hop_histogram={
            count: scale * int(pairs) for count, pairs in enumerate(hops) if pairs
        },
        diameter_gateway_hops=len(gateway_hops) - 1,
        mean_gateway_hops=_mean(gateway_hops),
        bisection_links=_bisection_links(topology),
        fingerprint=fingerprint(topology),
    )


def hop_histogram(topology: Topology, sources: Sequence[int]) -> Ints:
    """Return the distance metric: the number of chips at each hop count from `sources`.

    Entry `h` counts the pairs of a source and a different chip `h` hops away, shape
    ``(largest hop count + 1,)``.
    """
    chips = np.asarray(sources, np.intp)
    histogram = step_histogram(
        topology.adjacency(), chips[:, np.newaxis], np.arange(topology.chips)
    )
    histogram[0] = 0
    return histogram


def _bisection_links(topology: Topology) -> int:
    """Return the bisection metric: cables between the two halves of the chips.

    The halves are cut in chip order, at ``chips // 2``.
    """
    half = topology.chips // 2
    crosses = (topology.source[::2] < half) != (topology.target[::2] < half)
    return int(np.count_nonzero(crosses))


def fingerprint(topology: Topology) -> str:
    """Return the topology digest for metrics, the same whatever the cable order."""
    forward = topology.source < topology.target
    cables = np.stack(
        [
            topology.source[forward],
            topology.source_port[forward],
            topology.target[forward],
            topology.target_port[forward],
            topology.level[forward],
        ],
        axis=1,
    ).astype("<i4")
    # Each port is used once, so the first two columns order the rows completely.
    cables = cables[np.lexsort((cables[:, 1], cables[:, 0]))]
    digest = hashlib.sha256(f"{topology.chips}\n".encode())
    digest.update(cables.tobytes())
    return digest.hexdigest()[:FINGERPRINT_DIGITS]


def _mean(histogram: Ints) -> float:
    """Return the mean metric of a histogram of hop counts, 0 if it counts no pair."""
    pairs = int(histogram.sum())
    if not pairs:
        return 0.0
    return int(np.arange(len(histogram)) @ histogram) / pairs
