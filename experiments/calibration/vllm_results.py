"""Results under the names of ``vllm bench serve``: its own, and those of this program.

Source: ``vllm/benchmarks/serve.py`` of vLLM.
"""

from experiments.calibration.measured import (
    EACH_GAP,
    EACH_REQUEST,
    LATENCIES,
    MS_PER_S,
    STATISTICS,
    Document,
    Measured,
    record_latencies,
)
from specs.errors import SpecError

_FLAT = (
    "request_throughput",
    "request_goodput",
    "output_throughput",
    "total_token_throughput",
    "completed",
    "failed",
)


def traffic_results(document: Document) -> Measured:
    """Return what ``groqrack traffic`` says; `Document` names the errors."""
    values = _flat(document)
    _lengths(values, document, "total_input", "total_output")
    return Measured(
        document.file,
        "groqrack traffic",
        values,
        {"tpot": EACH_REQUEST, "itl": EACH_GAP},
        {"tpot": "tpot", "itl": "itl"},
    )


def vllm_results(document: Document) -> Measured:
    """Return what ``vllm bench serve --save-result`` says.

    With ``--save-detailed`` also what follows from its single requests.

    Raises
    ------
    SpecError
        If a number is none, or single requests are not complete.
    """
    values = _flat(document)
    for metric in LATENCIES:
        median = document.number(f"median_{metric}_ms")
        if median is not None:
            values.setdefault((metric, "p50"), median)
    _lengths(values, document, "total_input_tokens", "total_output_tokens")
    _vllm_details(values, document)
    return Measured(
        document.file,
        "vllm bench serve",
        values,
        {"tpot": EACH_REQUEST, "itl": EACH_GAP},
        {"tpot": "tpot", "itl": "itl"},
        "--percentile-metrics ttft,tpot,itl,e2el --metric-percentiles 50,90,95,99",
    )


def _flat(document: Document) -> dict[tuple[str, str], float]:
    """Return the numbers under the names of ``vllm bench serve``."""
    values: dict[tuple[str, str], float] = {}
    for metric in LATENCIES:
        for statistic in STATISTICS:
            found = document.number(f"{statistic}_{metric}_ms")
            if found is not None:
                values[metric, statistic] = found
    for name in _FLAT:
        found = document.number(name)
        if found is not None:
            values[name, "mean"] = found
    return values


def _lengths(
    values: dict[tuple[str, str], float], document: Document, read: str, written: str
) -> None:
    """Add the mean lengths of prompts and answers."""
    count = values.get(("completed", "mean"))
    for name, key in (("input_tokens", read), ("output_tokens", written)):
        total = document.number(key)
        if count and total is not None:
            values[name, "mean"] = total / count


def _vllm_details(values: dict[tuple[str, str], float], document: Document) -> None:
    """Add what follows from the single requests of ``--save-detailed``."""
    first, lengths = document.numbers("ttfts"), document.numbers("output_lens")
    gaps, errors = document.value("itls"), document.value("errors")
    if first is None or lengths is None or not isinstance(gaps, list):
        return
    if not len(first) == len(lengths) == len(gaps):
        raise SpecError(
            f"{document.file}: {len(first)} ttfts, {len(lengths)} output_lens and "
            f"{len(gaps)} itls; expected one each for every request"
        )
    single = [Document(document.file, {"itls": each}).numbers("itls") for each in gaps]
    failed = errors if isinstance(errors, list) else [""] * len(first)
    rows = [
        (ttft, length, each or [])
        for ttft, length, each, error in zip(
            first, lengths, single, failed, strict=True
        )
        if not error
    ]
    record_latencies(values, "ttft", (ttft * MS_PER_S for ttft, _, _ in rows))
    every = (gap * MS_PER_S for _, _, each in rows for gap in each)
    record_latencies(values, "itl", every)
    whole = ((ttft + sum(each)) * MS_PER_S for ttft, _, each in rows)
    record_latencies(values, "e2el", whole)
    later = (sum(each) * MS_PER_S / (n - 1) for _, n, each in rows if n > 1)
    record_latencies(values, "tpot", later)
