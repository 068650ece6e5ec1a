import re

from serving.endpoint.metrics import Histogram, ModelMetrics

SAMPLE = re.compile(r"^([\w:]+)(\{[^{}]*\})? ([\d.e+-]+|\+Inf)$")


def test_a_histogram_counts_cumulatively() -> None:
    histogram = Histogram("h", "Text.", (1.0, 2.0))
    for value, times in ((1.0, 1), (1.5, 2), (9.0, 1)):
        histogram.observe(value, times)
    assert list(histogram.lines('a="b"')) == [
        "# HELP h Text.",
        "# TYPE h histogram",
        'h_bucket{a="b",le="1.0"} 1',
        'h_bucket{a="b",le="2.0"} 3',
        'h_bucket{a="b",le="+Inf"} 4',
        'h_count{a="b"} 4',
        'h_sum{a="b"} 13.0',
    ]


def test_metrics_have_the_names_of_vllm() -> None:
    metrics = ModelMetrics()
    metrics.finished["stop"] += 2
    text = metrics.text("m", running=3, waiting=1, slots=4)
    lines = text.splitlines()
    assert all(line.startswith("# ") or SAMPLE.match(line) for line in lines)
    labels = '{model_name="m",engine="0"}'
    assert f"vllm:num_requests_running{labels} 3" in lines
    assert f"vllm:num_requests_waiting{labels} 1" in lines
    assert f"vllm:kv_cache_usage_perc{labels} 0.75" in lines
    finished = 'vllm:request_success_total{model_name="m",engine="0",'
    assert f'{finished}finished_reason="stop"}} 2' in lines
    for name in (
        "time_to_first_token_seconds",
        "inter_token_latency_seconds",
        "request_queue_time_seconds",
        "e2e_request_latency_seconds",
    ):
        assert f"vllm:{name}_count{labels} 0" in lines
