"""What this machine can do at all, at this minute: SimPy's rate and NumPy's.

A figure beside the reference that bounds it holds on any machine, and on a busy one.
"""

import resource
import time
from collections.abc import Callable

import numpy as np
import simpy
from simpy.events import ProcessGenerator

PROCESSES = 576
TIMEOUTS = 200_000
ARRAY_BYTES = 64_000_000
REFERENCES = {
    "simpy": "raw SimPy timeouts a CPU second, of 576 processes",
    "numpy": "bytes a CPU second that NumPy reads and writes, an array of 64 MB",
}


def cpu_s(work: Callable[[], object], times: int = 1) -> float:
    """Return the fewest CPU seconds that `work` takes in some runs, processes too."""
    spent = []
    for _ in range(times):
        began = _used_s()
        work()
        spent.append(_used_s() - began)
    return min(spent)


def _used_s() -> float:
    """Return the CPU seconds of this process and of those that it has waited for."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def reference_per_s(name: str) -> float:
    """Return the rate of a reference, measured now."""
    return {"simpy": timeouts_per_s, "numpy": bytes_per_s}[name]()


def timeouts_per_s(timeouts: int = TIMEOUTS) -> float:
    """Return how many timeouts SimPy processes in a CPU second, and nothing else."""

    def loop(env: simpy.Environment, delay: int) -> ProcessGenerator:
        for _ in range(timeouts // PROCESSES):
            yield env.timeout(delay)

    def work() -> None:
        env = simpy.Environment()
        for number in range(PROCESSES):
            env.process(loop(env, 1000 + number))
        env.run()

    return timeouts // PROCESSES * PROCESSES / cpu_s(work, 2)


def bytes_per_s(size: int = ARRAY_BYTES) -> float:
    """Return how many bytes NumPy reads and writes in a CPU second."""
    values = np.ones(size // 8, dtype=np.int64)
    made = np.empty_like(values)
    # Each element is read and written.
    return 2 * size / cpu_s(lambda: np.add(values, 1, out=made), 3)
