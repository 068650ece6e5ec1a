import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from experiments.sweep import executors
from experiments.sweep.axes import read_axes
from experiments.sweep.executors import executor_named, local_executor
from experiments.sweep.grid import Sweep, sweep_of
from experiments.sweep.result_store import ResultStore
from experiments.sweep.runner import run_sweep
from specs.errors import SweepError

pytest.importorskip("distributed", reason="Dask is not installed")

ROOT = Path(__file__).parents[3]
# Dask warns of much that does not concern us, and warnings are errors here.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]

Begin = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def begin() -> Iterator[Begin]:
    """Yield what starts Dask's programs; all have ended after the test."""
    begun: list[subprocess.Popen[bytes]] = []

    def start(*words: str) -> "subprocess.Popen[bytes]":
        process = subprocess.Popen(
            [sys.executable, "-m", "dask", *words],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=ROOT,
        )
        begun.append(process)
        return process

    yield start
    for process in begun:
        process.kill()
        process.wait()


@pytest.fixture
def address(begin: Begin, tmp_path: Path) -> str:
    told = tmp_path / "scheduler.json"
    begin("scheduler", "--host=127.0.0.1", "--port=0", f"--scheduler-file={told}")
    until_s = time.monotonic() + 60
    while not (told.exists() and told.read_text()):
        assert time.monotonic() < until_s
        time.sleep(0.05)
    return str(json.loads(told.read_text())["address"])


def points(config: Path, seeds: int) -> Sweep:
    base = {
        "model": str(config),
        "chips": 8,
        "context": 16,
        "tokens": 1,
        "engine": "replay",
    }
    # Of twenty widths one fits: refusals are results, and take no time.
    axes = {
        "seed": {"range": [0, seeds]},
        "strategy": {"tensor": {"range": [8, 28]}},
    }
    return sweep_of(base, read_axes(axes, "mine"), "mine")


def begin_workers(
    begin: Begin, address: str, count: int
) -> "list[subprocess.Popen[bytes]]":
    from distributed import Client  # noqa: PLC0415

    options = ("--host=127.0.0.1", "--nthreads=1", "--no-nanny", "--no-dashboard")
    workers = [begin("worker", address, *options) for _ in range(count)]
    with Client(address, set_as_default=False) as client:
        client.wait_for_workers(count, timeout=60)
    return workers


def quiet(_done: int, _before: int, _refused: int) -> None:
    pass


def test_a_cluster_that_loses_a_worker_gives_what_local_processes_give(
    begin: Begin,
    address: str,
    tiny_config: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    workers = begin_workers(begin, address, 2)
    told: list[int] = []

    def kill_one(done: int, _before: int, _refused: int) -> None:
        told.append(done)
        if done == 100:
            workers[0].kill()

    sweep = points(tiny_config, seeds=15)
    with ResultStore(None) as ledger:
        rows = run_sweep(sweep, ledger, executor_named(f"dask:{address}", 1), kill_one)
    assert told == list(range(301))
    assert workers[0].poll() is not None
    # Dask has its own words for what happened, which do not concern the user.
    assert capfd.readouterr().err == ""
    with ResultStore(None) as ledger:
        assert rows == run_sweep(sweep, ledger, local_executor(2), quiet)


def test_a_cluster_that_lost_every_worker_says_so_and_goes_on_with_a_new_one(
    begin: Begin,
    address: str,
    tiny_config: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(executors, "_PULSE_S", 0.1)
    (worker,) = begin_workers(begin, address, 1)
    told: list[str] = []

    def replace_it(done: int, _before: int, _refused: int) -> None:
        if done == 5:
            worker.kill()
            worker.wait()
            until_s = time.monotonic() + 60
            while not told or "no workers left" not in told[-1]:
                assert time.monotonic() < until_s
                time.sleep(0.1)
                told.append(capfd.readouterr().err)
            begin_workers(begin, address, 1)

    with ResultStore(None) as ledger:
        factory = executor_named(f"dask:{address}", 1)
        rows = run_sweep(points(tiny_config, seeds=5), ledger, factory, replace_it)
    assert len(rows) == 100
    assert f"start it with: dask worker {address}" in told[-1]


def test_a_scheduler_without_workers_is_refused(
    address: str, tiny_config: Path
) -> None:
    factory = executor_named(f"dask:{address}", 1)
    with (
        ResultStore(None) as ledger,
        pytest.raises(SweepError, match=f"{address} has no workers; start one with"),
    ):
        run_sweep(points(tiny_config, seeds=1), ledger, factory, quiet)
