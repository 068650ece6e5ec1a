"""Where the tail of token latencies comes from: replays, and nothing else."""

from collections import defaultdict
from collections.abc import Callable

import numpy as np
import pytest

from compiler.ir.schedule import Schedule
from fabric.replay import replay
from fabric.results.result import RunResult

Compile = Callable[..., Schedule]
EPOCH_PS = 280_000


def run(schedule: Schedule, tokens: int) -> RunResult:
    machine = schedule.plan.task.machine
    return replay(schedule.program, schedule.topology, machine, seed=4, tokens=tokens)


def latencies_ps(result: RunResult) -> dict[int, list[int]]:
    """Return the latencies of delivered tokens by the attempts that they took."""
    begun: dict[int, int] = {}
    found = defaultdict(list)
    for row in result.iterations:
        begun.setdefault(row.token, row.start_ps)
        if row.delivered:
            found[row.attempt + 1].append(row.end_ps - begun[row.token])
    return found


@pytest.mark.parametrize("settings", [{}, {"clock__model": "walk"}])
def test_without_faults_all_tokens_take_equally_long(
    compiled: Compile, settings: dict[str, object]
) -> None:
    result = run(compiled(8, 9, **settings), 200)
    (latency_ps,) = latencies_ps(result).values()
    p50, p99 = np.percentile(latency_ps, [50, 99])
    assert p99 - p50 <= EPOCH_PS
    assert max(latency_ps) - min(latency_ps) <= EPOCH_PS


def test_with_errors_the_tail_is_exactly_the_replays(compiled: Compile) -> None:
    schedule = compiled(2, 2, link__ber=7e-5)
    result = run(schedule, 400)
    by_attempts = latencies_ps(result)
    period_ps = float(np.median(by_attempts[1]))
    assert len(by_attempts) >= 3
    for attempts, latency_ps in by_attempts.items():
        # A token that took n attempts took n periods, whatever else was drawn.
        assert np.abs(np.array(latency_ps) - attempts * period_ps).max() <= EPOCH_PS
    repeated = sum((n - 1) * len(found) for n, found in by_attempts.items())
    assert repeated == result.replays
