"""Results of GuideLLM: a benchmark of ``benchmarks.json``.

Source: GuideLLM's schemas ``GenerativeMetrics`` and ``GenerativeRequestStats``.
"""

from collections.abc import Mapping
from typing import Any

from experiments.calibration.measured import (
    EACH_GAP,
    EACH_REQUEST,
    MS_PER_S,
    STATISTICS,
    Document,
    Measured,
    record_latencies,
)
from specs.errors import SpecError

_LATENCIES = {
    "ttft": ("time_to_first_token_ms", 1.0),
    "tpot_with_first": ("time_per_output_token_ms", 1.0),
    "itl": ("inter_token_latency_ms", 1.0),
    "e2el": ("request_latency", MS_PER_S),
}
_MEANS = {
    "request_throughput": "requests_per_second",
    "output_throughput": "output_tokens_per_second",
    "total_token_throughput": "tokens_per_second",
    "input_tokens": "prompt_token_count",
    "output_tokens": "output_token_count",
}


def guidellm_results(document: Document, benchmark: int | None) -> Measured:
    """Return what a benchmark of GuideLLM says, the first is 1.

    Raises
    ------
    SpecError
        If there are several and none is named, there is no such one, or a number is
        none.
    """
    count = len(document.value("benchmarks"))
    if not count:
        raise SpecError(f"{document.file}: benchmarks is empty; run GuideLLM again")
    if benchmark is None and count > 1:
        raise SpecError(
            f"{document.file}: has {count} benchmarks; name one with --benchmark, "
            f"1 to {count}"
        )
    number = 1 if benchmark is None else benchmark
    chosen = Document(
        f"{document.file}: benchmarks[{number - 1}]", _benchmark(document, number)
    )
    values: dict[tuple[str, str], float] = {}
    for metric, (name, scale) in _LATENCIES.items():
        where = ("metrics", name, "successful")
        for statistic in STATISTICS:
            key = ("mean",) if statistic == "mean" else ("percentiles", statistic)
            found = chosen.number(*where, *key)
            if found is not None and chosen.number(*where, "count") != 0:
                values[metric, statistic] = found * scale
    for metric, name in _MEANS.items():
        found = chosen.number("metrics", name, "successful", "mean")
        if found is not None:
            values[metric, "mean"] = found
    counts = {"completed": "successful", "failed": "errored"}
    for metric, status in counts.items():
        found = chosen.number("metrics", "request_totals", status)
        if found is not None:
            values[metric, "mean"] = found
    record_latencies(values, "tpot", _single_tpots(chosen))
    return Measured(
        document.file,
        "GuideLLM",
        values,
        {
            "tpot": EACH_REQUEST,
            # Weighted by tokens, the mean of means is the mean of all gaps.
            "itl mean": EACH_GAP,
            "itl": "(e2el - ttft) / (n - 1), weighted by tokens",
        },
        {
            "tpot": "inter_token_latency_ms of each request",
            "tpot_with_first": "time_per_output_token_ms",
            "itl": "inter_token_latency_ms",
        },
    )


def _benchmark(document: Document, number: int) -> Mapping[str, Any]:
    """Return the benchmark of a GuideLLM file that is meant, the first is 1."""
    found = document.value("benchmarks")
    if not 1 <= number <= len(found):
        raise SpecError(
            f"{document.file}: --benchmark {number} is not there; "
            f"it has 1 to {len(found)}"
        )
    chosen = found[number - 1]
    if not isinstance(chosen, Mapping):
        raise SpecError(
            f"{document.file}: benchmarks[{number - 1}] is a "
            f"{type(chosen).__name__}; expected keys"
        )
    return chosen


def _single_tpots(chosen: Document) -> list[float]:
    """Return the time per output token after the first of each request listed."""
    listed = chosen.value("requests", "successful")
    if not isinstance(listed, list):
        return []
    found = [
        Document(f"{chosen.file}.requests.successful[{at}]", each).number(
            "inter_token_latency_ms"
        )
        for at, each in enumerate(listed)
        if isinstance(each, Mapping)
    ]
    return [each for each in found if each is not None]
