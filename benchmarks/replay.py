"""Is the replay faster than the machine it models, and by how much faster than SimPy?

Llama-2-70B on 576 chips, eight chips a stage. The real-time factor is simulated time by
CPU time of the run, start included. Both engines give the same trajectory hash.
"""

import time
from collections.abc import Callable

from experiments.preparation import compile_scenario
from fabric.replay import replay
from fabric.result import RunResult
from fabric.simulation import simulate
from specs.scenario import Scenario
from specs.units import PS_PER_S

SETTINGS: dict[str, dict[str, object]] = {
    "defaults: drift, jitter, deskews, errors": {},
    "bit error rate 1e-9": {"link.ber": 1e-9},
    "no jitter, no errors": {"link.jitter_cycles": 0, "link.ber": 0},
}
SIMPY_TOKENS = 10
REPLAY_TOKENS = 200

Engine = Callable[..., RunResult]


def measured(engine: Engine, settings: dict[str, object], tokens: int) -> RunResult:
    """Run an engine and print what it took; return the result."""
    prepared, schedule = compile_scenario(Scenario(settings=settings))
    began = time.process_time()
    result = engine(
        schedule.program, prepared.topology, prepared.machine, seed=1, tokens=tokens
    )
    spent_s = time.process_time() - began
    rows = result.iterations
    simulated_s = (rows[-1].end_ps - rows[0].start_ps) / PS_PER_S
    print(
        f"  {engine.__name__:<9}{tokens:>6} tokens "
        f"{spent_s * 1e3 / tokens:>9.2f} ms each"
        f"   real-time factor {simulated_s / spent_s:>6.2f}"
    )
    return result


def main() -> None:
    """Print a block for each setting."""
    for name, settings in SETTINGS.items():
        print(name)
        reference = measured(simulate, settings, SIMPY_TOKENS)
        measured(replay, settings, REPLAY_TOKENS)
        fast = measured(replay, settings, SIMPY_TOKENS)
        same = reference.trajectory_hash == fast.trajectory_hash
        print(f"  same trajectory in both: {'yes' if same else 'NO'}")


if __name__ == "__main__":
    main()
