"""Comparisons with published figures of the latency of links."""

from experiments.validation.comparison import Comparison, compared
from experiments.validation.link_round_trips import EXCHANGES, TABLE_2, half_round_trips


def timing_rows(seed: int = 1) -> list[Comparison]:
    """Return comparisons of half round trips with those measured on seven links.

    The least latency is an input; mean and deviation of the jitter on each link are
    calibrated. How long the longest half round trip takes is predicted.
    """
    halves = half_round_trips(seed, EXCHANGES)
    links = [f"link {row.link}" for row in TABLE_2]
    means, deviations = halves.mean(axis=0), halves.std(axis=0)
    return [
        *compared("Least link latency", {"seven links": int(halves.min())}),
        *compared("Greatest link latency", {"seven links": int(halves.max())}),
        *compared("Mean link latency", dict(zip(links, means.tolist(), strict=True))),
        *compared(
            "Deviation of the link latency",
            dict(zip(links, deviations.tolist(), strict=True)),
        ),
    ]
