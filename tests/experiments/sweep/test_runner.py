import csv
import multiprocessing
import random
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.sweep import runner
from experiments.sweep.axes import read_axes
from experiments.sweep.executors import ExecutorFactory, local_executor
from experiments.sweep.grid import Sweep, sweep_of
from experiments.sweep.result_store import ResultStore
from experiments.sweep.runner import results_csv, run_sweep
from specs.errors import SweepError
from specs.scenario import Scenario


def sweep_over(**axes: Any) -> Sweep:
    return sweep_of({}, read_axes(axes, "mine"), "mine")


def quiet(_done: int, _before: int, _refused: int) -> None:
    pass


def pretended(document: str, _key: str) -> str:
    """Return an outcome that depends on the point, at no cost."""
    refused = '"seed":3,' in document
    numbers = "{}" if refused else f'{{"n": {sum(map(ord, document))}}}'
    reason = "three, says ü" if refused else ""
    feasible = "false" if refused else "true"
    return f'{{"feasible": {feasible}, "reason": "{reason}", "numbers": {numbers}}}'


class Whimsical(Executor):
    """An executor that ends its tasks in any order, and may break at any time."""

    def __init__(self, chance: random.Random, *, breaks: float) -> None:
        self._chance = chance
        self._breaks = breaks
        self._broken = False
        self._held: list[tuple[Future[Any], Callable[[], Any]]] = []

    def submit(
        self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any
    ) -> Future[Any]:
        if self._broken:
            raise BrokenExecutor
        future: Future[Any] = Future()
        self._held.append((future, lambda: fn(*args, **kwargs)))
        threading.Timer(0.0005, self._end_some).start()
        return future

    def _end_some(self) -> None:
        self._chance.shuffle(self._held)
        self._broken = self._broken or self._chance.random() < self._breaks
        while self._held:
            future, work = self._held.pop()
            if self._broken:
                future.set_exception(BrokenExecutor())
                continue
            try:
                future.set_result(work())
            except Exception as error:
                future.set_exception(error)


def whimsical(seed: int, ahead: int = 5, breaks: float = 0.0) -> ExecutorFactory:
    chance = random.Random(seed)

    @contextmanager
    def opened() -> Iterator[Executor]:
        yield Whimsical(chance, breaks=breaks)

    return ExecutorFactory(opened, ahead)


@given(st.integers(0, 10**6), st.integers(1, 9), st.sampled_from([0.0, 0.1]))
@settings(deadline=None, max_examples=20)
def test_neither_order_nor_deaths_of_processes_show_in_the_results(
    seed: int, ahead: int, breaks: float
) -> None:
    points = sweep_over(seed=[5, 3, 4, 1], tokens=[1, 2, 3])
    expected = [pretended(p.scenario.model_dump_json(), "") for p in points.points]
    with pytest.MonkeyPatch.context() as patch, ResultStore(None) as ledger:
        patch.setattr(runner, "run_point", pretended)
        rows = run_sweep(points, ledger, whimsical(seed, ahead, breaks), quiet)
    assert [(row["seed"], row["tokens"]) for row in rows] == [
        (p.scenario.seed, p.scenario.tokens) for p in points.points
    ]
    assert [row.get("n") for row in rows] == [
        None if "false" in text else int(text.split('"n": ')[1].rstrip("}"))
        for text in expected
    ]


def test_points_that_are_known_are_not_run_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ran: list[str] = []
    told: list[tuple[int, int, int]] = []

    def counted(document: str, key: str) -> str:
        ran.append(key)
        return pretended(document, key)

    monkeypatch.setattr(runner, "run_point", counted)
    with ResultStore(None) as ledger:
        run_sweep(sweep_over(seed=[1, 3]), ledger, whimsical(1), quiet)
        more = sweep_over(seed=[4, 3, 2, 1])
        rows = run_sweep(more, ledger, whimsical(1), lambda *now: told.append(now))
    assert len(ran) == len(set(ran)) == 4
    assert told == [(0, 2, 1), (1, 2, 1), (2, 2, 1)]
    assert [row["seed"] for row in rows] == [4, 3, 2, 1]


def test_points_that_share_programs_run_one_after_the_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ran: list[tuple[int, int]] = []

    def counted(document: str, key: str) -> str:
        scenario = Scenario.model_validate_json(document)
        ran.append((scenario.batch, scenario.seed))
        return pretended(document, key)

    monkeypatch.setattr(runner, "run_point", counted)
    points = sweep_over(seed=[5, 6], batch=[1, 2])
    with ResultStore(None) as ledger:
        rows = run_sweep(points, ledger, whimsical(1, ahead=1), quiet)
    assert ran == [(1, 5), (1, 6), (2, 5), (2, 6)]
    assert [(row["seed"], row["batch"]) for row in rows] == [
        *((5, 1), (5, 2)),
        *((6, 1), (6, 2)),
    ]


def test_points_that_are_the_same_by_other_paths_run_once_and_count_each(
    tiny_config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[str] = []

    def counted(_document: str, key: str) -> str:
        ran.append(key)
        return pretended("", key)

    monkeypatch.setattr(runner, "run_point", counted)
    copied = tmp_path / tiny_config.parent.name
    shutil.copytree(tiny_config.parent, copied)
    models = [str(tiny_config), str(copied / "config.json")]
    points = sweep_over(model=models, seed=[1, 2])
    told: list[tuple[int, int, int]] = []
    with ResultStore(None) as ledger:
        for _ in range(2):
            rows = run_sweep(points, ledger, whimsical(1), lambda *n: told.append(n))
    assert len(ran) == len(set(ran)) == 2
    assert told == [(0, 0, 0), (2, 0, 0), (4, 0, 0), (0, 4, 0)]
    assert [row["model"] for row in rows] == [models[0]] * 2 + [models[1]] * 2


def test_a_bug_that_one_point_meets_does_not_cost_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def faulty(document: str, key: str) -> str:
        if '"seed":2,' in document:
            raise ZeroDivisionError("of ours")
        return pretended(document, key)

    points = sweep_over(seed=[1, 2, 4, 5])
    with ResultStore(None) as ledger:
        monkeypatch.setattr(runner, "run_point", faulty)
        with pytest.raises(
            SweepError,
            match=r"1 of 4 points have no result.*seed=2: ZeroDivisionError: of ours",
        ):
            run_sweep(points, ledger, whimsical(1), quiet)
        monkeypatch.setattr(runner, "run_point", pretended)
        told: list[tuple[int, int, int]] = []
        run_sweep(points, ledger, whimsical(1), lambda *now: told.append(now))
    assert told == [(0, 3, 0), (1, 3, 0)]


def test_a_point_that_kills_its_process_is_found_and_does_not_cost_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def deadly(document: str, key: str) -> str:
        if '"seed":2,' in document:
            # What a pool makes of a process that was killed.
            raise BrokenExecutor
        return pretended(document, key)

    monkeypatch.setattr(runner, "run_point", deadly)
    told: list[tuple[int, int, int]] = []
    points = sweep_over(seed=[1, 2, 3, 4, 5, 6])
    guilty = r"1 of 6 points.*seed=2: its process died.*memory"
    with ResultStore(None) as ledger, pytest.raises(SweepError, match=guilty):
        run_sweep(points, ledger, whimsical(1), lambda *now: told.append(now))
    assert told[-1] == (5, 0, 1)


@pytest.mark.slow
def test_a_process_that_is_killed_is_replaced_and_none_outlives_the_sweep(
    tiny_config: Path,
) -> None:
    base = {
        "model": str(tiny_config),
        "chips": 8,
        "strategy": "tensor=4",
        "context": 16,
        "tokens": 1,
        "engine": "replay",
    }
    axes = read_axes({"seed": {"range": [0, 12]}}, "mine")
    points = sweep_of(base, axes, "mine")
    killed: list[multiprocessing.process.BaseProcess] = []

    def kill_once(done: int, _before: int, _refused: int) -> None:
        if done == 3:
            killed.append(multiprocessing.active_children()[0])
            killed[0].kill()

    with ResultStore(None) as ledger:
        rows = run_sweep(points, ledger, local_executor(2), kill_once)
    with ResultStore(None) as ledger:
        assert rows == run_sweep(points, ledger, whimsical(1), quiet)
    assert len({row["run.trajectory_hash"] for row in rows}) == 12
    assert killed[0].exitcode == -signal.SIGKILL
    assert multiprocessing.active_children() == []


def test_a_second_ctrl_c_waits_until_the_processes_have_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ended: list[int] = []
    shutdown = ProcessPoolExecutor.shutdown

    def pressed_again(self: ProcessPoolExecutor, **options: Any) -> None:
        signal.raise_signal(signal.SIGINT)
        shutdown(self, **options)
        ended.append(len(multiprocessing.active_children()))

    monkeypatch.setattr(ProcessPoolExecutor, "shutdown", pressed_again)
    with pytest.raises(KeyboardInterrupt), local_executor(1).open() as executor:  # noqa: PT012
        assert executor.submit(int, "7").result() == 7
        raise KeyboardInterrupt
    assert ended == [0]


def test_results_are_read_back_as_they_were() -> None:
    rows = [
        {"seed": 1, "strategy": "a=1,b=2", "n": 0.1, "feasible": True, "reason": ""},
        {"seed": 2, "strategy": "a=2", "feasible": False, "reason": 'a "ü",\nb'},
    ]
    text = results_csv(rows).decode()
    assert text.splitlines()[0] == "seed,strategy,n,feasible,reason"
    read = list(csv.DictReader(text.splitlines(keepends=True)))
    assert [row["strategy"] for row in read] == ["a=1,b=2", "a=2"]
    assert [row["n"] for row in read] == ["0.1", ""]
    assert read[1]["reason"] == 'a "ü",\nb'
