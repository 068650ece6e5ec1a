"""How does the cost of a token grow from a node to 145 racks?

Each machine runs one token of a model that fits: CPU seconds for each step, what the
simulation processes in a second, and the memory that the process has had so far.
"""

import json
import tempfile
import time
from itertools import pairwise
from pathlib import Path

from benchmarks.figures import NODE_CONFIG
from compiler.compile_decode import compile_token
from compiler.verify import verify
from experiments.run.preparation import plan_scenario
from experiments.run.scenario import peak_rss_bytes
from fabric.simulation import simulate
from specs.scenario import Scenario

MACHINES = (
    ("rack", "llama-2-7b", "rack", 72, "tensor=8,pipeline=9"),
    ("33 nodes", "llama-2-7b", "nodes33", 264, "tensor=8,pipeline=33"),
    ("8 racks", "llama-2-70b", "dragonfly", 576, "tensor=8,pipeline=72"),
    ("145 racks", "llama-2-70b", "dragonfly", 10_440, "tensor=8,pipeline=1305"),
)


def row(name: str, scenario: Scenario) -> str:
    """Return a line with what one token costs on one machine."""
    times = [time.process_time()]
    prepared = plan_scenario(scenario)
    times.append(time.process_time())
    schedule = compile_token(prepared.plan, prepared.topology)
    times.append(time.process_time())
    verify(schedule.program, prepared.topology, prepared.machine, plan=schedule.plan)
    times.append(time.process_time())
    result = simulate(
        schedule.program,
        prepared.topology,
        prepared.machine,
        seed=scenario.seed,
        tokens=1,
    )
    times.append(time.process_time())
    steps = [after - before for before, after in pairwise(times)]
    latency_us = schedule.latency_cycles / prepared.machine.chip.clock_hz * 1e6
    return (
        f"{name:<10}{scenario.chips:>7,}"
        + "".join(f"{step:>9.3f}" for step in steps)
        + f"{result.events:>10,}{result.events / steps[-1]:>10,.0f}"
        + f"{peak_rss_bytes() / 1e9:>7.2f}{latency_us:>10,.1f}"
    )


def main() -> None:
    """Print a line for each machine, smallest first."""
    print(
        f"{'machine':<10}{'chips':>7}{'plan s':>9}{'compile':>9}{'verify':>9}"
        f"{'simulate':>9}{'events':>10}{'events/s':>10}{'GB':>7}{'token us':>10}"
    )
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "config.json"
        config.write_text(json.dumps(NODE_CONFIG), encoding="utf-8")
        node = ("node", str(config), "node", 8, "tensor=8,pipeline=1")
        for name, model, topology, chips, strategy in (node, *MACHINES):
            scenario = Scenario(
                model=model, topology=topology, chips=chips, strategy=strategy, tokens=1
            )
            print(row(name, scenario), flush=True)


if __name__ == "__main__":
    main()
