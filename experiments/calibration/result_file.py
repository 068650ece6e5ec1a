"""Result file of a load generator or of this program, whichever wrote it."""

from collections.abc import Mapping
from pathlib import Path

from experiments.calibration.aiperf_results import AIPERF_LATENCIES, aiperf_results
from experiments.calibration.guidellm_results import guidellm_results
from experiments.calibration.measured import (
    LATENCIES,
    Document,
    Measured,
    shared,
)
from experiments.calibration.vllm_results import traffic_results, vllm_results
from specs.errors import SpecError
from specs.input_files import shown
from specs.validation import read_mapping


def read_measured(path: Path, benchmark: int | None = None) -> Measured:
    """Return what a result file says, whatever tool wrote it.

    Parameters
    ----------
    path
        JSON of ``groqrack traffic``, ``vllm bench serve``, AIPerf or GuideLLM.
    benchmark
        Which benchmark of a GuideLLM file, the first is 1; needed if it has several.

    Raises
    ------
    SpecError
        If the file cannot be read, is of none of these tools, has no completed request,
        or a number in it is none.
    """
    if path.suffix.lower() != ".json":
        raise SpecError(
            f"{path}: results are read from .json files: summary.json, what vllm bench "
            f"serve --save-result writes, profile_export_aiperf.json, benchmarks.json"
        )
    content = read_mapping(path)
    measured = _parsed(Document(str(path), content), benchmark)
    if measured is not None:
        _check_served(measured)
        return shared(measured)
    keys = ", ".join(shown(key) for key in list(content)[:4]) or "none"
    raise SpecError(
        f"{path}: its keys ({keys}) are not those of groqrack traffic, vllm bench "
        f"serve, AIPerf or GuideLLM; is it the right file?"
    )


def _check_served(measured: Measured) -> None:
    """Refuse a file that says nothing of any request."""
    completed = measured.values.get(("completed", "mean"))
    if completed == 0:
        raise SpecError(
            f"{measured.file}: 0 requests completed; measure again, or look at the "
            f"errors of {measured.tool}"
        )
    if not any(metric in LATENCIES for metric, _ in measured.values):
        raise SpecError(f"{measured.file}: has no latency of any request")


def _parsed(document: Document, benchmark: int | None) -> Measured | None:
    """Return what a result file says, None if no tool writes such a file."""
    if str(document.value("schema")).startswith("groqrack-fabric/traffic/"):
        return traffic_results(document)
    if isinstance(document.value("benchmarks"), list):
        return guidellm_results(document, benchmark)
    names = AIPERF_LATENCIES.values()
    if any(isinstance(document.value(name), Mapping) for name in names):
        return aiperf_results(document)
    if document.value("total_input_tokens") is not None:
        return vllm_results(document)
    return None
