"""Running the points of a sweep that its ledger does not hold yet."""

import csv
import io
import json
from collections import Counter, deque
from collections.abc import Callable, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    wait,
)
from typing import Any, NamedTuple

from experiments.sweep.executors import ExecutorFactory, without_interrupt
from experiments.sweep.grid import Sweep, SweepPoint
from experiments.sweep.point import point_key, run_point, settled
from experiments.sweep.result_store import ResultStore
from specs.errors import SweepError

# A point in whose time a process died this often runs alone, to see if it was the one.
_SUSPECT_AFTER = 2
_GUILTY_AFTER = 4

Tell = Callable[[int, int, int], None]


class _Task(NamedTuple):
    key: str
    document: str
    point: SweepPoint


def run_sweep(
    sweep: Sweep, ledger: ResultStore, crew: ExecutorFactory, tell: Tell
) -> list[dict[str, Any]]:
    """Run what is left of a sweep; return a row for each of its points, in order.

    Parameters
    ----------
    sweep
        The points.
    ledger
        Where each result is entered as soon as it is there.
    crew
        Where points run; neither it nor the order in which they end shows in the rows.
    tell
        Called with the points done now, the points done before, and those refused.

    Returns
    -------
    list
        The swept values, then the numbers of the summary by dotted name, then
        ``feasible`` and ``reason``.

    Raises
    ------
    SweepError
        If points have no result since their process died or a program error stopped
        them, after all others were run.
    OutputError
        If the ledger cannot be written.
    """
    tasks = [_task(point) for point in sweep.points]
    known = ledger.outcomes(task.key for task in tasks)
    there = [known[task.key] for task in tasks if task.key in known]
    refused = sum(not outcome.feasible for outcome in there)
    left = [task for task in tasks if task.key not in known]
    run = _Running(ledger, left, before=len(there), refused=refused, tell=tell)
    while run.waiting:
        # A pool that lost a process is of no more use; the next one goes on.
        with crew.open() as executor:
            run.drain(executor, crew.ahead)
    if run.stuck:
        point, reason = run.stuck[0]
        raise SweepError(
            f"{len(run.stuck)} of {len(tasks):,} points have no result; the others are "
            f"kept, and running the same again tries these; the first is {point}: "
            f"{reason}"
        )
    return _rows(tasks, ledger)


class _Running:
    """A sweep on its way: what waits, what is with an executor, what died."""

    def __init__(
        self,
        ledger: ResultStore,
        left: Sequence[_Task],
        *,
        before: int,
        refused: int,
        tell: Tell,
    ) -> None:
        # Points that name files alike by other paths are one task.
        self.waiting = deque({task.key: task for task in left}.values())
        self._points = Counter(task.key for task in left)
        self.stuck: list[tuple[SweepPoint, str]] = []
        self._ledger = ledger
        self._before = before
        self._refused = refused
        self._tell = tell
        self._done = 0
        self._deaths: Counter[str] = Counter()
        self._flying: dict[Future[str], _Task] = {}
        tell(0, before, refused)

    def drain(self, executor: Executor, ahead: int) -> None:
        """Run all that waits, or as much as the executor lives to see."""
        broken = False
        while self._flying or (self.waiting and not broken):
            while not broken and self._may_start(ahead):
                broken = not self._start(executor)
            ended, _ = wait(self._flying, return_when=FIRST_COMPLETED)
            for future in ended:
                broken |= not self._end(self._flying.pop(future), future)

    def _may_start(self, ahead: int) -> bool:
        if not self.waiting or not self._flying:
            return bool(self.waiting)
        alone = any(
            self._deaths[task.key] >= _SUSPECT_AFTER
            for task in (self.waiting[0], *self._flying.values())
        )
        return not alone and len(self._flying) < ahead

    def _start(self, executor: Executor) -> bool:
        """Hand over the next task; return whether the executor took it."""
        task = self.waiting[0]
        try:
            with without_interrupt():
                future = executor.submit(run_point, task.document, task.key)
        except BrokenExecutor:
            return False
        self._flying[future] = self.waiting.popleft()
        return True

    def _end(self, task: _Task, future: "Future[str]") -> bool:
        """Enter what came of a task; return whether the executor lives."""
        try:
            outcome = future.result()
        except BrokenExecutor:
            self._died(task)
            return False
        except CancelledError:
            raise SweepError(
                f"the cluster has gone; {self._before + self._done:,} points are kept: "
                "run the same again when it is back"
            ) from None
        except Exception as error:
            # A bug that one point meets must not cost the others.
            self.stuck.append((task.point, f"{type(error).__name__}: {error}"))
            return True
        self._ledger.record(task.key, task.document, outcome)
        points = self._points[task.key]
        self._done += points
        self._refused += points * (not json.loads(outcome)["feasible"])
        self._tell(self._done, self._before, self._refused)
        return True

    def _died(self, task: _Task) -> None:
        self._deaths[task.key] += 1
        if self._deaths[task.key] < _GUILTY_AFTER:
            self.waiting.append(task)
            return
        reason = "its process died whenever it ran; is there enough memory?"
        self.stuck.append((task.point, reason))


def results_csv(rows: Sequence[dict[str, Any]]) -> bytes:
    """Return rows as CSV; what a row lacks is empty.

    `feasible` and `reason` come last. Rows of equal content give equal bytes.
    """
    columns = dict.fromkeys(name for row in rows for name in row)
    last = ("feasible", "reason")
    names = [*(name for name in columns if name not in last), *last]
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def _task(point: SweepPoint) -> _Task:
    scenario = settled(point.scenario)
    return _Task(point_key(scenario), scenario.model_dump_json(), point)


def _rows(tasks: Sequence[_Task], ledger: ResultStore) -> list[dict[str, Any]]:
    outcomes = ledger.outcomes(task.key for task in tasks)
    rows = []
    for task in tasks:
        outcome = outcomes[task.key]
        verdict = {"feasible": outcome.feasible, "reason": outcome.reason}
        rows.append({**task.point.swept, **outcome.numbers, **verdict})
    return rows
