"""Is the replay faster than the machine it models, and by how much faster than SimPy?

Llama-2-70B on 576 chips, eight chips a stage. The real-time factor is simulated time by
CPU time of the run, start included. Both engines give the same trajectory hash. Without
jitter and drift all tokens are alike, and a steady state is computed once. The last
block is a Monte-Carlo run of 100,000 tokens, and the memory it leaves behind;
`--quick` leaves it out.
"""

import sys
import time
from collections.abc import Callable

from experiments.run.preparation import compile_scenario
from experiments.run.scenario import peak_rss_bytes
from fabric.replay import replay
from fabric.results.result import RunResult
from fabric.simulation import simulate
from specs.scenario import Scenario
from specs.units import BYTES_PER_MB, PS_PER_S

SETTINGS: dict[str, dict[str, object]] = {
    "defaults: drift, jitter, deskews, errors": {},
    "bit error rate 1e-9": {"link.ber": 1e-9},
    "crystals that wander": {"clock.model": "walk"},
    "drift and deskews, no jitter, no errors": {"link.jitter_cycles": 0, "link.ber": 0},
    "no drift, no jitter, no errors": {
        "clock.model": "ideal",
        "link.jitter_cycles": 0,
        "link.ber": 0,
    },
}
SIMPY_TOKENS = 10
REPLAY_TOKENS = (100, 1000)
MONTE_CARLO_TOKENS = 100_000

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
        f"  {engine.__name__:<9}{tokens:>7,} tokens "
        f"{spent_s * 1e3 / tokens:>9.2f} ms each"
        f"   real-time factor {simulated_s / spent_s:>6.2f}"
    )
    return result


def main() -> None:
    """Print a block for each setting."""
    for name, settings in SETTINGS.items():
        print(name)
        reference = measured(simulate, settings, SIMPY_TOKENS)
        for tokens in REPLAY_TOKENS:
            measured(replay, settings, tokens)
        fast = measured(replay, settings, SIMPY_TOKENS)
        same = reference.trajectory_hash == fast.trajectory_hash
        print(f"  same trajectory in both: {'yes' if same else 'NO'}")
    if "--quick" not in sys.argv[1:]:
        print("Monte-Carlo, bit error rate 1e-9")
        result = measured(replay, {"link.ber": 1e-9}, MONTE_CARLO_TOKENS)
        print(
            f"  {result.links.corrected.sum():,} codewords repaired, "
            f"{result.replays} replays, peak memory "
            f"{peak_rss_bytes() / BYTES_PER_MB:,.0f} MB"
        )


if __name__ == "__main__":
    main()
