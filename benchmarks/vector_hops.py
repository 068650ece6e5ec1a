"""How many vector-hops does a CPU second evaluate, one by one and by trains?

A vector-hop is a vector on one link. SimPy and the replay follow trains and so cover
all vectors of a train at once; the exact evaluation looks each vector up. Uniform
traffic of 64 vectors between each pair up to 264 chips, all-reduce of 1 MiB above.
"""

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from compiler.compile_collective import CollectiveSchedule, compile_collective
from compiler.verify import verify
from experiments.run.scenario import peak_rss_bytes
from fabric.replay import replay
from fabric.replay_engine.vector_times import tally_vectors
from fabric.results.result import RunResult
from fabric.simulation import simulate
from specs.machine import load_machine
from topologies.selection import select_topology

MACHINES = {
    8: "node",
    72: "rack",
    264: "nodes33",
    576: "dragonfly",
    10_440: "dragonfly",
}
MOST_UNIFORM_CHIPS = 264
VECTORS = 64
MIB = 2**20
WANTED_PER_S = 30e6


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Return the CPU seconds that `work` takes, and what it returns."""
    began = time.process_time()
    made = work()
    return time.process_time() - began, made


def measure(chips: int, kind: str) -> str:
    """Return a line with what one machine takes."""
    machine, topology = load_machine(), select_topology(chips, kind)
    members = topology.active.astype(np.int64)
    uniform = chips <= MOST_UNIFORM_CHIPS

    def compiled() -> CollectiveSchedule:
        if uniform:
            size = chips * VECTORS * machine.link.vector_bytes
            return compile_collective(
                topology,
                machine,
                "all-to-all",
                members,
                payload_bytes=size,
                algorithm="hierarchical",
            )
        return compile_collective(
            topology,
            machine,
            "all-reduce",
            members,
            payload_bytes=MIB,
            algorithm="hierarchical",
        )

    compile_s, schedule = timed(compiled)
    program = schedule.program
    verify_s, _ = timed(lambda: verify(program, topology, machine, plan=schedule.plan))
    simpy_s, _ = timed(lambda: simulate(program, topology, machine, seed=1, tokens=1))
    replay_s, result = timed(
        lambda: replay(
            program, topology, machine, seed=1, tokens=1, keep=frozenset({0})
        )
    )
    exact_s, tally = timed(
        lambda: tally_vectors(program, topology, machine, result.records[0], seed=1)
    )
    hops = tally.vector_hops
    return (
        f"{chips:>7,}{len(program.trains):>10,}{hops:>13,}{compile_s:>9.2f}"
        f"{verify_s:>8.2f}{simpy_s:>8.2f}{replay_s:>8.3f}{exact_s:>8.3f}"
        f"{hops / exact_s / 1e6:>10.1f}{hops / simpy_s / 1e6:>9.1f}"
        f"{hops / replay_s / 1e6:>9.1f}{peak_rss_bytes() / 1e9:>7.2f}"
    )


def smallest() -> str:
    """Return what an all-reduce of 16 KiB on eight chips takes, run by run."""
    machine, topology = load_machine(), select_topology(8)
    program = compile_collective(
        topology,
        machine,
        "all-reduce",
        topology.active.astype(np.int64),
        payload_bytes=16_384,
    ).program

    def best_s(engine: Callable[..., RunResult], tokens: int) -> float:
        return min(
            timed(lambda: engine(program, topology, machine, seed=1, tokens=tokens))[0]
            for _ in range(20)
        )

    lines = []
    for engine in (simulate, replay):
        once_s, more_s = best_s(engine, 1), best_s(engine, 101)
        lines.append(
            f"{engine.__name__:<9}{once_s * 1e3:>8.2f} ms with its start"
            f"{(more_s - once_s) * 10:>8.2f} ms each further run"
        )
    return "\n".join(lines)


def main() -> None:
    """Print a line for each machine, smallest first."""
    print(
        f"{'':>42}CPU seconds{'':>20}million vector-hops a CPU second\n"
        f"{'chips':>7}{'trains':>10}{'vector-hops':>13}{'compile':>9}{'verify':>8}"
        f"{'SimPy':>8}{'replay':>8}{'exact':>8}{'one by one':>11}{'SimPy':>8}"
        f"{'replay':>9}{'GB':>7}"
    )
    for chips, kind in MACHINES.items():
        print(measure(chips, kind), flush=True)
    print(f"wanted: {WANTED_PER_S / 1e6:g} million one by one at 264 chips")
    print(f"\nall-reduce of 16 KiB on 8 chips\n{smallest()}")


if __name__ == "__main__":
    main()
