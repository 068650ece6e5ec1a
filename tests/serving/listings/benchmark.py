"""Latency and throughput over twenty equal requests, and their variation."""

import statistics
import time

from groq import Groq

client = Groq(api_key="your_groq_api_key")


def benchmark(model: str, prompt: str, n_runs: int = 10) -> dict[str, float]:
    latencies, throughputs = [], []
    for _ in range(n_runs):
        start = time.perf_counter()
        response = client.chat.completions.create(
            model=model,
            messages=[{"role": "user", "content": prompt}],
            max_tokens=200,
            stream=False,
        )
        elapsed = time.perf_counter() - start
        latencies.append(elapsed * 1000)
        throughputs.append(response.usage.completion_tokens / elapsed)
    mean = statistics.mean(throughputs)
    return {
        "p50_latency_ms": statistics.median(latencies),
        "p95_latency_ms": sorted(latencies)[int(0.95 * n_runs)],
        "p99_latency_ms": sorted(latencies)[int(0.99 * n_runs)],
        "mean_tps": mean,
        "cv_percent": statistics.stdev(throughputs) / mean * 100,
    }


result = benchmark(
    model="llama-3.1-8b-instant",
    prompt="Describe the architecture of a transformer model.",
    n_runs=20,
)
print(f"P50 latency: {result['p50_latency_ms']:.1f} ms")
print(f"CV (variance): {result['cv_percent']:.1f}%")
