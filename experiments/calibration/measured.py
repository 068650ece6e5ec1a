"""Measured latencies and rates of served requests, under one name and unit for all."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, final

import numpy as np

from serving.results.summary import PERCENTILES
from specs.errors import SpecError
from specs.input_files import shortened


class Metric(NamedTuple):
    """Metric that tools report.

    Attributes
    ----------
    text
        What a person reads.
    unit
        Its unit.
    """

    text: str
    unit: str


LATENCIES = {
    "ttft": Metric("time to first token", "ms"),
    "tpot": Metric("time per output token", "ms"),
    "tpot_with_first": Metric("time per token with first", "ms"),
    "itl": Metric("between two tokens", "ms"),
    "e2el": Metric("end to end", "ms"),
}
METRICS = {
    **LATENCIES,
    "request_throughput": Metric("requests", "1/s"),
    "request_goodput": Metric("goodput", "1/s"),
    "output_throughput": Metric("tokens of answers", "1/s"),
    "total_token_throughput": Metric("tokens of both", "1/s"),
    "completed": Metric("requests completed", "requests"),
    "failed": Metric("requests failed", "requests"),
    "input_tokens": Metric("tokens of a prompt", "tokens"),
    "output_tokens": Metric("tokens of an answer", "tokens"),
}
STATISTICS = ("mean", *(f"p{each}" for each in PERCENTILES))
MS_PER_S = 1e3
# How tools define a metric whose definitions differ.
EACH_REQUEST = "(e2el - ttft) / (n - 1) of each request"
EACH_GAP = "each time from a token to the next"
WITH_FIRST = "e2el / n, weighted by tokens"


@final
@dataclass(frozen=True)
class Measured:
    """What a file says of served requests.

    Attributes
    ----------
    file, tool
        Its name, and what wrote it.
    values
        By metric and statistic; rates, counts and lengths have a ``mean`` alone.
    definitions
        How the tool defines a metric, by metric and statistic; by the metric alone if
        all its statistics share it.
    called
        The tool's own name of a metric.
    hint
        How to make the tool say more.
    """

    file: str
    tool: str
    values: dict[tuple[str, str], float]
    definitions: dict[str, str] = field(default_factory=dict)
    called: dict[str, str] = field(default_factory=dict)
    hint: str = ""

    def definition(self, metric: str, statistic: str) -> str:
        """Return how the tool defines a statistic of a metric, empty if as all do."""
        given = self.definitions
        return given.get(f"{metric} {statistic}", given.get(metric, ""))


@final
class Document:
    """Content of a result file, with numbers that are checked when they are read.

    Parameters
    ----------
    file
        Its name, for messages.
    content
        What it holds.
    """

    def __init__(self, file: str, content: Mapping[str, Any]) -> None:
        self.file, self._content = file, content

    def value(self, *keys: str) -> Any:
        """Return what stands under nested keys, None if one is not there."""
        found: Any = self._content
        for key in keys:
            if not isinstance(found, Mapping):
                return None
            found = found.get(key)
        return found

    def number(self, *keys: str) -> float | None:
        """Return the number under nested keys, None if it is not there.

        Raises
        ------
        SpecError
            If it is no finite number >= 0.
        """
        found = self.value(*keys)
        if found is None:
            return None
        return number(found, f"{self.file}: {'.'.join(keys)}")

    def numbers(self, *keys: str) -> list[float] | None:
        """Return the list of numbers under nested keys, None if it is not there.

        Raises
        ------
        SpecError
            If it is no list, or one of its items no finite number >= 0.
        """
        found, name = self.value(*keys), f"{self.file}: {'.'.join(keys)}"
        if found is None:
            return None
        if not isinstance(found, list):
            raise SpecError(
                f"{name} is a {type(found).__name__}; expected a list of numbers"
            )
        return [number(each, f"{name}[{at}]") for at, each in enumerate(found)]


def number(value: object, name: str) -> float:
    """Return a value of a result file if it is a finite number >= 0.

    Raises
    ------
    SpecError
        If it is not.

    Examples
    --------
    >>> number(3, "run.json: completed")
    3.0
    """
    fine = isinstance(value, int | float) and not isinstance(value, bool)
    if not fine or not 0 <= value < math.inf:  # type: ignore[operator]
        raise SpecError(
            f"{name} is {shortened(repr(value))}; expected a finite number >= 0"
        )
    return float(value)  # type: ignore[arg-type]


def record_latencies(
    values: dict[tuple[str, str], float], metric: str, latencies_ms: Iterable[float]
) -> None:
    """Add the statistics of single latencies to those that a file does not state.

    Percentiles are interpolated, as load generators have them.
    """
    samples = np.fromiter(latencies_ms, dtype=np.float64)
    if not len(samples):
        return
    values.setdefault((metric, "mean"), float(samples.mean()))
    for each in PERCENTILES:
        value = float(np.percentile(samples, each))
        values.setdefault((metric, f"p{each}"), value)


def shared(measured: Measured) -> Measured:
    """Return what a file says without what was not measured, and a mean more.

    Load generators write zeros for what they do not see, such as the first token of an
    answer that is not streamed. The mean time per output token with the first, weighted
    by tokens, follows from the end-to-end latency and the tokens of an answer.

    Parameters
    ----------
    measured
        What the file says.
    """
    values = {
        key: value
        for key, value in measured.values.items()
        if key[0] not in LATENCIES or measured.values.get((key[0], "mean"), 1.0) > 0
    }
    whole, tokens = (values.get((name, "mean")) for name in ("e2el", "output_tokens"))
    if whole is not None and tokens:
        values.setdefault(("tpot_with_first", "mean"), whole / tokens)
    definitions = {"tpot_with_first": WITH_FIRST, **measured.definitions}
    return replace(measured, values=values, definitions=definitions)
