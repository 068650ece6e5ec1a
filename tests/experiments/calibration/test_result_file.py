import json
from pathlib import Path
from typing import Any

import pytest

from experiments.calibration.aiperf_results import aiperf_results
from experiments.calibration.guidellm_results import guidellm_results
from experiments.calibration.measured import (
    METRICS,
    Document,
    Measured,
    number,
    record_latencies,
    shared,
)
from experiments.calibration.result_file import read_measured
from experiments.calibration.vllm_results import traffic_results, vllm_results
from specs.errors import SpecError

# Two requests: 3 tokens in 100 + 20 + 30 ms, and 1 token in 200 ms.
VLLM: dict[str, Any] = {
    "duration": 2.0,
    "completed": 2,
    "failed": 1,
    "total_input_tokens": 20,
    "total_output_tokens": 4,
    "request_throughput": 1.0,
    "request_goodput": None,
    "output_throughput": 2.0,
    "total_token_throughput": 12.0,
    "mean_ttft_ms": 150.0,
    "median_ttft_ms": 150.0,
    "p99_ttft_ms": 199.0,
}
DETAILS = {
    "ttfts": [0.1, 0.2, 0.0],
    "itls": [[0.02, 0.03], [], []],
    "output_lens": [3, 1, 0],
    "errors": ["", "", "refused"],
}


def spread(mean: float, **percentiles: float) -> dict[str, Any]:
    """Return a distribution as GuideLLM writes one."""
    given = dict.fromkeys(("p50", "p90", "p95", "p99"), mean) | percentiles
    return {
        "successful": {"mean": mean, "median": mean, "count": 2, "percentiles": given}
    }


def guidellm(**more: Any) -> dict[str, Any]:
    """Return a benchmark of the same two requests."""
    return {
        "metrics": {
            "request_totals": {"successful": 2, "errored": 1, "incomplete": 0},
            "requests_per_second": spread(1.0),
            "output_tokens_per_second": spread(2.0),
            "tokens_per_second": spread(12.0),
            "prompt_token_count": spread(10),
            "output_token_count": spread(2),
            "time_to_first_token_ms": spread(150.0, p99=200.0),
            "time_per_output_token_ms": spread(87.5, p99=200.0),
            "inter_token_latency_ms": spread(25.0),
            "request_latency": spread(0.175, p99=0.2),
        },
        **more,
    }


def written(folder: Path, content: object) -> Path:
    path = folder / "measured.json"
    path.write_text(json.dumps(content))
    return path


def test_vllm_states_latencies_in_ms_and_its_median_is_percentile_50() -> None:
    values = vllm_results(Document("v.json", VLLM)).values
    assert values["ttft", "p50"] == 150
    assert values["ttft", "p99"] == 199
    assert values["input_tokens", "mean"] == 10
    assert ("request_goodput", "mean") not in values


def test_what_vllm_does_not_state_follows_from_its_single_requests() -> None:
    values = vllm_results(Document("v.json", VLLM | DETAILS)).values
    # What the file states is kept, and the request that failed does not count.
    assert values["ttft", "p99"] == 199
    assert values["ttft", "p90"] == pytest.approx(190)
    assert values["itl", "mean"] == pytest.approx(25)
    assert values["tpot", "p50"] == pytest.approx(25)
    assert values["e2el", "mean"] == pytest.approx((150 + 200) / 2)


def test_aiperf_states_its_units_and_calls_the_time_per_token_another_name() -> None:
    measured = aiperf_results(
        Document(
            "a.json",
            {
                "time_to_first_token": {"unit": "ms", "avg": 150.0, "p99": 199.0},
                "inter_token_latency": {"unit": "us", "avg": 25_000.0},
                "request_latency": {"unit": "sec", "avg": 0.175},
                "request_throughput": {"unit": "requests/sec", "avg": 1.0},
                "request_count": {"unit": "requests", "avg": 2.0},
            },
        )
    )
    assert measured.values["tpot", "mean"] == 25
    assert measured.values["e2el", "mean"] == 175
    assert measured.called["tpot"] == "inter_token_latency"


def test_guidellm_has_seconds_end_to_end_and_counts_the_first_token() -> None:
    listed = {"successful": [{"inter_token_latency_ms": 25}, {}]}
    document = Document("g.json", {"benchmarks": [guidellm(requests=listed)]})
    measured = guidellm_results(document, None)
    assert measured.values["e2el", "p99"] == 200
    assert measured.values["tpot_with_first", "mean"] == 87.5
    # The one request of several tokens, as vLLM and this program have it.
    assert measured.values["tpot", "p99"] == 25


def test_the_mean_with_the_first_token_is_the_same_by_every_tool() -> None:
    ours = shared(vllm_results(Document("v.json", VLLM | DETAILS))).values
    theirs = guidellm_results(Document("g", {"benchmarks": [guidellm()]}), 1).values
    mean = ("tpot_with_first", "mean")
    assert ours[mean] == pytest.approx(theirs[mean])


def test_a_first_token_after_0_ms_was_not_measured() -> None:
    values = {("ttft", "mean"): 0.0, ("ttft", "p99"): 0.0, ("e2el", "mean"): 1.0}
    kept = shared(Measured("v.json", "vllm bench serve", values)).values
    assert kept == {("e2el", "mean"): 1.0}


def test_no_sample_adds_nothing() -> None:
    values: dict[tuple[str, str], float] = {}
    record_latencies(values, "tpot", [])
    assert values == {}
    assert "tpot" in METRICS


def test_a_run_of_this_program_is_known_by_its_schema(tmp_path: Path) -> None:
    content = {
        "schema": "groqrack-fabric/traffic/1",
        "completed": 2,
        "failed": 0,
        "total_input": 20,
        "total_output": 4,
        "mean_tpot_ms": 25.0,
        "p95_tpot_ms": None,
    }
    measured = read_measured(written(tmp_path, content))
    assert measured.values == traffic_results(Document("r", content)).values
    assert measured.tool == "groqrack traffic"
    assert ("tpot", "p95") not in measured.values


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"throughput": 3}, r"its keys \('throughput'\) are not those of groqrack"),
        ({}, r"its keys \(none\)"),
        (VLLM | {"completed": 0}, "0 requests completed; measure again"),
        (VLLM | {"p99_ttft_ms": "fast"}, r"p99_ttft_ms is 'fast'; expected a finite"),
        (VLLM | {"p99_ttft_ms": -1}, r"p99_ttft_ms is -1; expected a finite"),
        (VLLM | {"p99_ttft_ms": float("nan")}, "p99_ttft_ms is nan; expected"),
        (VLLM | {"completed": True}, "completed is True; expected a finite"),
        (VLLM | DETAILS | {"output_lens": [3]}, "3 ttfts, 1 output_lens and 3 itls"),
        (VLLM | DETAILS | {"itls": [[0.1], [], 3]}, "itls is a int; expected a list"),
        (VLLM | DETAILS | {"ttfts": [1, None, 1]}, r"ttfts\[1\] is None; expected"),
        ({"benchmarks": []}, "benchmarks is empty; run GuideLLM again"),
        ({"benchmarks": [3]}, r"benchmarks\[0\] is a int; expected keys"),
        ({"benchmarks": [{}, {}]}, "has 2 benchmarks; name one with --benchmark"),
        ({"benchmarks": [{}]}, "has no latency of any request"),
        (
            {"request_latency": {"unit": "weeks", "avg": 1}},
            "request_latency.unit is 'weeks'; expected one of ns, us, ms, s, sec",
        ),
        ([1, 2], "holds a list, expected keys"),
    ],
)
def test_a_file_that_cannot_be_meant_is_refused_in_a_line(
    tmp_path: Path, content: object, message: str
) -> None:
    with pytest.raises(SpecError, match=message) as refused:
        read_measured(written(tmp_path, content))
    assert "\n" not in str(refused.value)


def test_a_benchmark_that_a_file_does_not_have_is_refused() -> None:
    document = Document("g.json", {"benchmarks": [guidellm(), guidellm()]})
    assert guidellm_results(document, 2).values["ttft", "mean"] == 150
    for benchmark in (0, 3):
        with pytest.raises(SpecError, match="is not there; it has 1 to 2"):
            guidellm_results(document, benchmark)


def test_only_json_is_read(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"results are read from \.json files"):
        read_measured(tmp_path / "benchmarks.csv")


def test_a_number_is_finite_and_not_negative() -> None:
    assert number(3, "completed") == 3
    with pytest.raises(SpecError, match="completed is inf; expected a finite"):
        number(float("inf"), "completed")
