"""JSON keys of ``groqrack topology`` and ``groqrack validate``, with their meaning."""

TOPOLOGY = {
    "name": "name of the topology",
    "chips": "chips",
    "active_chips": "chips that a plan may use",
    "links": "cables; each is two directed links",
    "links_by_level.*": "cables by level: local, rack, global",
    "cable_length_m.*": "length of all cables of a level, in metres",
    "degree.min": "fewest cables of a chip",
    "degree.max": "most cables of a chip",
    "diameter_hops": "most hops between two chips",
    "mean_hops": "hops between two different chips, on average",
    "hop_histogram.*": "ordered pairs of different chips by hops",
    "diameter_gateway_hops": "the same if moves inside a passed node do not count",
    "mean_gateway_hops": "its mean",
    "bisection_links": "cables between the halves of the machine, in chip order",
    "fingerprint": "hash of all links",
    "uniform_bound_gb_per_s": "uniform traffic per chip that no routing exceeds, "
    "in 10^9 B/s of payload",
    "uniform_minimal_gb_per_s": "the same over minimal paths, used alike",
    "uniform_level_gb_per_s.*": "the same if only links of the level mattered",
}

VALIDATE = {
    "[].name": "what is compared",
    "[].group": "its heading in the printed table, with which the name begins",
    "[].source": "key of the source in docs/sources.md",
    "[].published": "published figure, or its range; an upper limit is a range from 0",
    "[].ours": "figure of this program",
    "[].unit": "unit of both",
    "[].error": "ours / published - 1, from the nearer end of a range",
    "[].tolerance": "error that the source supports",
    "[].tolerance_from": "exact, digits, range, count, error bars or chart: what of "
    "the source the tolerance comes from ([validation.md](validation.md))",
    "[].kind": "input, calibrated or predicted",
    "[].ok": "whether the error is within the tolerance",
    "[].outcome": "agrees, disagrees, known disagreement, or agrees again (a known "
    "disagreement that no longer is one)",
    "[].reason": "reason of a known disagreement, or null",
}
