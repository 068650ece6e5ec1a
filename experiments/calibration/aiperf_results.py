"""Results of AIPerf: ``profile_export_aiperf.json``, and GenAI-Perf's of that form.

Source: the schema of the file in AIPerf's reference.
"""

from collections.abc import Mapping

from experiments.calibration.measured import (
    EACH_REQUEST,
    MS_PER_S,
    STATISTICS,
    Document,
    Measured,
)
from specs.errors import SpecError
from specs.input_files import shown

_MS = {"ns": 1e-6, "us": 1e-3, "ms": 1.0, "s": MS_PER_S, "sec": MS_PER_S}
AIPERF_LATENCIES = {
    "ttft": "time_to_first_token",
    "tpot": "inter_token_latency",
    "itl": "inter_chunk_latency",
    "e2el": "request_latency",
}
_SCALARS = {
    "request_throughput": ("request_throughput", "requests/sec"),
    "request_goodput": ("goodput", "requests/sec"),
    "output_throughput": ("output_token_throughput", "tokens/sec"),
    "total_token_throughput": ("total_token_throughput", "tokens/sec"),
    "completed": ("request_count", "requests"),
    "failed": ("error_request_count", "requests"),
    "input_tokens": ("input_sequence_length", "tokens"),
    "output_tokens": ("output_sequence_length", "tokens"),
}


def aiperf_results(document: Document) -> Measured:
    """Return what AIPerf says, in ms and per second.

    Raises
    ------
    SpecError
        If a number is none, or a unit is not known.
    """
    values: dict[tuple[str, str], float] = {}
    for metric, name in AIPERF_LATENCIES.items():
        scale = _scale(document, name, _MS)
        for statistic in STATISTICS:
            key = "avg" if statistic == "mean" else statistic
            found = document.number(name, key)
            if found is not None:
                values[metric, statistic] = found * scale
    for metric, (name, unit) in _SCALARS.items():
        scale = _scale(document, name, {unit: 1.0})
        found = document.number(name, "avg")
        if found is not None:
            values[metric, "mean"] = found * scale
    return Measured(
        document.file,
        "AIPerf",
        values,
        {"tpot": EACH_REQUEST, "itl": "each time from a chunk to the next"},
        {"tpot": "inter_token_latency", "itl": "inter_chunk_latency"},
        "--streaming",
    )


def _scale(document: Document, name: str, units: Mapping[str, float]) -> float:
    """Return by what a metric of AIPerf is multiplied for its unit here."""
    unit = document.value(name, "unit")
    if document.value(name) is not None and unit not in units:
        raise SpecError(
            f"{document.file}: {name}.unit is {shown(unit)}; "
            f"expected one of {', '.join(units)}"
        )
    return units.get(unit, 1.0)
