"""How many requests does the timetable serve in a CPU second, and in how much memory?

A frame of 31 slots and 4 windows, as of Llama-2-70B on 576 chips, with arrivals and
lengths drawn block by block. A server with continuous batching, and SimPy, serve the
first of them. `--quick` serves a
twentieth of them.
"""

import sys
import time

import numpy as np

from experiments.run.scenario import peak_rss_bytes
from serving.continuous_batching import serve_batched
from serving.events.engine import serve_by_events
from serving.fleet.fleet import Fleet
from serving.frame import Frame
from serving.requests.arrivals import drawn_arrivals
from serving.requests.lengths import LengthSpec, drawn_lengths
from serving.requests.request_table import RequestTable, request_table
from serving.service_times import ServiceTimes
from serving.timetable.bulk import BulkReplicas
from specs.devices import load_device
from specs.host_link import HostSpec
from specs.units import BYTES_PER_MB

REQUESTS, BLOCK = 10_000_000, 50_000
SIMPY_REQUESTS = 200
GPU_REQUESTS = 20_000
PROMPT = LengthSpec(kind="lognormal", median=700, sigma=0.9, max=3000)
OUTPUT = LengthSpec(kind="lognormal", median=150, sigma=0.9, max=1000)


def one(cycles: int) -> np.ndarray:
    """Return the times of one context bucket."""
    return np.array([cycles], dtype=np.int64)


def fleet() -> Fleet:
    """Return a replica with the times of Llama-2-70B as tensor=16,pipeline=36."""
    times = ServiceTimes(
        clock_hz=900_000_000,
        host=HostSpec(load_gb_per_s=31.5),
        slots=31,
        chunk_tokens=64,
        turn_tokens=1,
        context_tokens=one(4096),
        slot_cycles=one(86_163),
        period_cycles=one(2_671_053),
        token_cycles=one(2_665_541),
        window_cycles=one(635_223),
        pass_cycles=one(18_064_582),
        token_lag_cycles=one(0),
        pass_lag_cycles=one(0),
        paced_windows=one(35),
        paced_pass_cycles=one(3_000_000),
        change_cycles=504,
        kv_bytes_per_token=900,
        decode_certificates=("",),
        chunk_certificates=("",),
    )
    frame = Frame(slots=31, windows=4, chunk_tokens=64, context_tokens=4096)
    return Fleet(times=times, frame=frame)


def block(count: int, random: np.random.Generator, from_ps: int) -> RequestTable:
    """Return the next requests, some 15 a second."""
    arrivals = drawn_arrivals(
        "gamma", count, rate_per_s=15, burstiness=0.5, random=random, from_ps=from_ps
    )
    lengths = (drawn_lengths(each, count, random) for each in (PROMPT, OUTPUT))
    return request_table(arrivals, *lengths)


def main() -> None:
    """Print rates and memory of both engines."""
    total = REQUESTS // 20 if "--quick" in sys.argv else REQUESTS
    random, at_ps = np.random.default_rng(1), 0
    replicas, completed = BulkReplicas(fleet()), 0
    began = time.process_time()
    for done in range(0, total, BLOCK):
        requests = block(min(BLOCK, total - done), random, at_ps)
        served = replicas.serve(requests)
        at_ps = int(requests.arrival_ps[-1])
        completed += int((served.end_cycle >= 0).sum())
        if not done:
            first_bytes = peak_rss_bytes()
    spent = time.process_time() - began
    print(f"timetable: {total:,} requests, {total / spent:,.0f} in a CPU second")
    grown = (peak_rss_bytes() - first_bytes) / BYTES_PER_MB
    print(f"  {completed:,} served; {grown:,.0f} MB more than after the first block")
    requests = block(GPU_REQUESTS, np.random.default_rng(1), 0)
    began = time.process_time()
    law = load_device("h100").step_law
    assert law is not None
    serve_batched(requests, law)
    spent = time.process_time() - began
    print(f"continuous batching: {GPU_REQUESTS / spent:,.0f} requests in a CPU second")
    requests = block(SIMPY_REQUESTS, np.random.default_rng(1), 0)
    began = time.process_time()
    reference = serve_by_events(fleet(), requests)
    spent = time.process_time() - began
    same = (
        BulkReplicas(fleet()).serve(requests).end_cycle == reference.end_cycle
    ).all()
    print(
        f"simpy: {SIMPY_REQUESTS:,} requests, {SIMPY_REQUESTS / spent:,.0f} in a CPU "
        f"second, {'the same' if same else 'OTHER'} times"
    )


if __name__ == "__main__":
    main()
