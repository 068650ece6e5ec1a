"""Requests of many users on a compiled pipeline: what they wait for."""

from experiments.service.traffic_run import run_traffic
from serving.traffic_file import traffic_file

CONTENT = {
    "model": "gpt2",
    "chips": 4,
    "strategy": "tensor=2,pipeline=2",
    "settings": {"model.layers": 2},
    "context": 64,
    "frame": {"slots": 4, "windows": 2, "chunk_tokens": 8},
    "traffic": {
        "arrivals": "poisson",
        "rate_per_s": 1000,
        "requests": 200,
        "prompt": {"kind": "lognormal", "median": 15, "sigma": 0.5, "max": 30},
        "output": {"kind": "lognormal", "median": 10, "sigma": 0.5, "max": 30},
    },
}
run = run_traffic(traffic_file(CONTENT, "this script"))
print(run.records[["request", "slot", "ttft_ps", "e2el_ps", "outcome"]].head(3))
for name in ("median_ttft_ms", "p99_ttft_ms", "median_tpot_ms", "saturation"):
    print(name, run.summary[name])
