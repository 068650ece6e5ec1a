"""Metrics in the text format of Prometheus, under the names that vLLM gives them.

Times are simulated ones.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import final

# Upper ends of vLLM's buckets, in seconds.
_LATENCY_S = (
    *(0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75),
    *(1.0, 2.5, 5.0, 7.5, 10.0, 20.0, 40.0, 80.0, 160.0, 640.0, 2560.0),
)
_TOKEN_S = (
    *(0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075),
    *(0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5, 5.0),
)
_REQUEST_S = (
    *(0.01, 0.05, 0.1, 0.3, 0.5, 0.8, 1.0, 1.5, 2.0, 2.5, 5.0, 10.0, 15.0),
    *(20.0, 30.0, 40.0, 50.0, 60.0, 120.0, 240.0, 480.0, 960.0),
)


@final
class Histogram:
    """Histogram of observations with fixed buckets.

    Parameters
    ----------
    name, text
        Name and description.
    bounds
        Upper end of each bucket, ascending.
    """

    def __init__(self, name: str, text: str, bounds: Sequence[float]) -> None:
        self._name, self._text, self._bounds = name, text, bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def observe(self, value: float, times: int = 1) -> None:
        """Count an observation, or several of the same value."""
        self._counts[bisect_left(self._bounds, value)] += times
        self._sum += value * times

    def lines(self, labels: str) -> Iterable[str]:
        """Yield the lines of the histogram."""
        yield f"# HELP {self._name} {self._text}"
        yield f"# TYPE {self._name} histogram"
        total = 0
        for bound, count in zip(
            [*map(str, self._bounds), "+Inf"], self._counts, strict=True
        ):
            total += count
            yield f'{self._name}_bucket{{{labels},le="{bound}"}} {total}'
        yield f"{self._name}_count{{{labels}}} {total}"
        yield f"{self._name}_sum{{{labels}}} {self._sum!r}"


@final
class ModelMetrics:
    """Metrics of one model since the endpoint began.

    Attributes
    ----------
    first_token, token, queue, request
        Histograms of the time to the first token, between tokens, in the queue, and of
        a whole request.
    prompt_tokens, generation_tokens
        Tokens read and made.
    finished
        Requests by the reason of their end: ``stop``, ``length``, ``abort``.
    """

    def __init__(self) -> None:
        self.first_token = Histogram(
            "vllm:time_to_first_token_seconds", "Time to first token.", _LATENCY_S
        )
        self.token = Histogram(
            "vllm:inter_token_latency_seconds", "Time between tokens.", _TOKEN_S
        )
        self.queue = Histogram(
            "vllm:request_queue_time_seconds", "Time in the queue.", _REQUEST_S
        )
        self.request = Histogram(
            "vllm:e2e_request_latency_seconds", "Time of a whole request.", _REQUEST_S
        )
        self.prompt_tokens = 0
        self.generation_tokens = 0
        self.finished = {"stop": 0, "length": 0, "abort": 0}

    def text(self, model: str, *, running: int, waiting: int, slots: int) -> str:
        """Return the metrics as text.

        Parameters
        ----------
        model
            Name in the labels.
        running, waiting
            Requests that hold a slot, and requests that wait for one.
        slots
            Slots of the frame. A slot owns its share of the KV cache until its request
            ends, so that the share of slots taken is the share of the cache.
        """
        labels = f'model_name="{model}",engine="0"'
        lines: list[str] = []
        for name, kind, text, value in (
            ("num_requests_running", "gauge", "Requests with a slot.", running),
            ("num_requests_waiting", "gauge", "Requests in the queue.", waiting),
            ("kv_cache_usage_perc", "gauge", "KV cache in use.", running / slots),
            ("prompt_tokens_total", "counter", "Tokens read.", self.prompt_tokens),
            (
                *("generation_tokens_total", "counter", "Tokens made."),
                self.generation_tokens,
            ),
        ):
            lines += [
                f"# HELP vllm:{name} {text}",
                f"# TYPE vllm:{name} {kind}",
                f"vllm:{name}{{{labels}}} {value}",
            ]
        lines.append("# TYPE vllm:request_success_total counter")
        lines += [
            f'vllm:request_success_total{{{labels},finished_reason="{reason}"}} {count}'
            for reason, count in self.finished.items()
        ]
        for histogram in (self.first_token, self.token, self.queue, self.request):
            lines += histogram.lines(labels)
        return "\n".join(lines) + "\n"
