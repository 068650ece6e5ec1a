"""Percentiles of latency over a window of the last hundred requests."""

import time
from collections import deque

from groq import Groq

client = Groq(api_key="your_key")


class LatencyMonitor:
    def __init__(self, window_size: int = 100) -> None:
        self.latencies = deque(maxlen=window_size)
        self.tps_samples = deque(maxlen=window_size)

    def record(self, latency_ms: float, tps: float) -> None:
        self.latencies.append(latency_ms)
        self.tps_samples.append(tps)

    def stats(self) -> dict[str, float]:
        lats = sorted(self.latencies)
        n = len(lats)
        if n < 2:
            return {}
        return {
            "p50_ms": lats[n // 2],
            "p95_ms": lats[int(0.95 * n)],
            "p99_ms": lats[int(0.99 * n)],
            "mean_tps": sum(self.tps_samples) / len(self.tps_samples),
        }


monitor = LatencyMonitor()


def monitored_call(prompt: str):
    start = time.perf_counter()
    resp = client.chat.completions.create(
        model="llama-3.1-8b-instant",
        messages=[{"role": "user", "content": prompt}],
        max_tokens=100,
    )
    elapsed_ms = (time.perf_counter() - start) * 1000
    tps = resp.usage.completion_tokens / (elapsed_ms / 1000)
    monitor.record(elapsed_ms, tps)
    return resp


for _ in range(40):
    monitored_call("Explain neural networks.")
stats = monitor.stats()
