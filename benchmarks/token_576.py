"""What does a token of Llama-2-70B on 576 chips cost, beside what SimPy can do at all?

Times are CPU seconds of this process, the best of a few runs: other programs on the
machine disturb them little. SimPy's own rate is measured in the same process, so that
the ratio of the two holds on any machine.
"""

import time
from collections.abc import Callable
from typing import NamedTuple

import simpy
from simpy.events import ProcessGenerator

from compiler.compile_decode import compile_token
from compiler.ir.schedule import Schedule
from compiler.verify import verify
from experiments.run.preparation import Prepared, plan_scenario
from experiments.run.scenario import peak_rss_bytes
from fabric.results.result import RunResult
from fabric.simulation import simulate
from specs.scenario import Scenario

SCENARIO = Scenario(
    model="llama-2-70b", chips=576, strategy="tensor=8,pipeline=72", tokens=1
)
DEMO_TOKENS = 8
TIMES = 5
TIMEOUTS = 400_000
_LARGE = 100


class Line(NamedTuple):
    """One measurement and what it should be, if anything.

    Attributes
    ----------
    name, unit
        What was measured, and in what.
    value, most
        The measurement, and the target: at most this, None if there is none.
    """

    name: str
    value: float
    unit: str
    most: float | None = None

    def __str__(self) -> str:
        """Return the line as the table shows it."""
        value = f"{self.value:,.3f}" if self.value < _LARGE else f"{self.value:,.0f}"
        text = f"{self.name:<36}{value:>12} {self.unit:<9}"
        if self.most is None:
            return text.rstrip()
        verdict = "met" if self.value <= self.most else "MISSED"
        return f"{text}{self.most:>6g} at most: {verdict}"


def best_cpu_s(work: Callable[[], object], times: int = TIMES) -> float:
    """Return the fewest CPU seconds that `work` takes in some runs."""
    spent = []
    for _ in range(times):
        began = time.process_time()
        work()
        spent.append(time.process_time() - began)
    return min(spent)


def timeouts_per_s(processes: int, timeouts: int = TIMEOUTS) -> float:
    """Return how many timeouts SimPy processes in a CPU second, and nothing else."""

    def loop(env: simpy.Environment, delay: int) -> ProcessGenerator:
        for _ in range(timeouts // processes):
            yield env.timeout(delay)

    def work() -> None:
        env = simpy.Environment()
        for number in range(processes):
            env.process(loop(env, 1000 + number))
        env.run()

    return timeouts // processes * processes / best_cpu_s(work)


def simulated(prepared: Prepared, schedule: Schedule, tokens: int) -> RunResult:
    """Return the run of a compiled schedule."""
    return simulate(
        schedule.program,
        prepared.topology,
        prepared.machine,
        seed=SCENARIO.seed,
        tokens=tokens,
    )


def measure() -> list[Line]:
    """Return all measurements."""
    planning_s = best_cpu_s(lambda: plan_scenario(SCENARIO))
    prepared = plan_scenario(SCENARIO)
    plan, topology, machine = prepared.plan, prepared.topology, prepared.machine
    compiling_s = best_cpu_s(lambda: compile_token(plan, topology), 3)
    schedule = compile_token(plan, topology)
    verifying_s = best_cpu_s(
        lambda: verify(schedule.program, topology, machine, plan=schedule.plan), 3
    )
    token_s = best_cpu_s(lambda: simulated(prepared, schedule, 1))
    demo_s = best_cpu_s(lambda: simulated(prepared, schedule, DEMO_TOKENS), 3)
    further_s = (demo_s - token_s) / (DEMO_TOKENS - 1)
    first = simulated(prepared, schedule, 1).events
    events = simulated(prepared, schedule, DEMO_TOKENS).events
    further = (events - first) / (DEMO_TOKENS - 1)
    raw = timeouts_per_s(SCENARIO.chips)
    return [
        Line("plan", planning_s, "s"),
        Line("compile", compiling_s, "s", 3),
        Line("verify", verifying_s, "s"),
        Line("simulate, first token with its start", token_s, "s", 0.15),
        Line("simulate, each further token", further_s, "s", 0.15),
        Line(f"simulate, {DEMO_TOKENS} tokens as in the demo", demo_s, "s", 10),
        Line("events of the first token", first, "events"),
        Line("events of a further token", further, "events"),
        Line("our events per second", events / demo_s, "1/s"),
        Line("raw SimPy timeouts per second", raw, "1/s"),
        Line("ours as a share of raw SimPy", events / demo_s / raw, ""),
        Line("peak memory", peak_rss_bytes() / 1e9, "GB", 1),
    ]


def main() -> None:
    """Print the measurements and the targets."""
    print(f"{SCENARIO.model} as {SCENARIO.strategy}, context {SCENARIO.context:,}")
    for line in measure():
        print(line)


if __name__ == "__main__":
    main()
