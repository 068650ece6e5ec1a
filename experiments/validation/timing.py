"""Comparisons with published figures of the latency of links."""

from experiments.validation.comparison import Comparison, compared
from experiments.validation.link_round_trips import EXCHANGES, TABLE_2, half_round_trips
from specs.machine import load_machine


def timing_rows(seed: int = 1) -> list[Comparison]:
    """Return comparisons of half round trips with those measured on seven links.

    The least and the greatest latency are inputs, between which one direction lies;
    mean and deviation of the jitter on each link are calibrated. How long the longest
    half round trip takes is predicted.
    """
    halves = half_round_trips(seed, EXCHANGES)
    link = load_machine().link
    most = link.latency_cycles + link.jitter_end_fraction * link.jitter_cycles
    links = [f"link {row.link}" for row in TABLE_2]
    means, deviations = halves.mean(axis=0), halves.std(axis=0)
    return [
        *compared("Least link latency", {"seven links": int(halves.min())}),
        *compared("Greatest link latency", {"seven links": round(most)}),
        *compared(
            "Longest of all half round trips", {"seven links": int(halves.max())}
        ),
        *compared("Mean link latency", dict(zip(links, means.tolist(), strict=True))),
        *compared(
            "Deviation of the link latency",
            dict(zip(links, deviations.tolist(), strict=True)),
        ),
    ]
