"""Runner of a sweep: it runs the points that the ledger does not have yet."""

import csv
import io
import json
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future
from queue import SimpleQueue
from typing import NamedTuple

from experiments.sweep.executors import ExecutorFactory, without_interrupt
from experiments.sweep.grid import Sweep, SweepPoint
from experiments.sweep.point import of_any_run, point_key, run_point, settled
from experiments.sweep.point_failures import (
    NO_RULES,
    FirstFailureError,
    PointLimitError,
    PointRules,
    is_broken,
    run_point_within,
)
from experiments.sweep.result_store import Outcome, ResultStore
from experiments.tables.columns import TableRow
from specs.errors import SweepError

# Deaths of processes after which a point runs alone, and after which it is given up.
_ALONE_AFTER_DEATHS = 2
_MOST_DEATHS = 4

Tell = Callable[[int, int, int], None]


class _Task(NamedTuple):
    """A point with its key, and its scenario as JSON: as it is, and of any run."""

    key: str
    document: str
    programs: str
    point: SweepPoint


def run_sweep(
    sweep: Sweep,
    ledger: ResultStore,
    executors: ExecutorFactory,
    tell: Tell,
    rules: PointRules = NO_RULES,
) -> list[TableRow]:
    """Run the remaining points of a sweep; return a row for each point, in order.

    Parameters
    ----------
    sweep
        The points.
    ledger
        Store to which each outcome is written at once.
    executors
        Executors that run points; rows do not depend on them or on the order of ends.
    tell
        Called with the points done in this run, those done before, and those refused.
    rules
        How long a point may take, and whether the first failure ends the sweep. A point
        that took too long has a row with the reason, and no outcome in the ledger.

    Returns
    -------
    list
        The swept values, then the numbers of the summary by dotted name, then
        ``feasible`` and ``reason``.

    Raises
    ------
    SweepError
        If points have no outcome because their process died or a program error stopped
        them; all other points are run first.
    FirstFailureError
        If the first failure ends the sweep.
    OutputError
        If the ledger cannot be written.
    """
    tasks = [_task(point) for point in sweep.points]
    known = ledger.outcomes(task.key for task in tasks)
    there = [known[task.key] for task in tasks if task.key in known]
    refused = sum(not outcome.feasible for outcome in there)
    left = [task for task in tasks if task.key not in known]
    # Points that share programs follow each other.
    order: dict[str, int] = {}
    left.sort(key=lambda task: order.setdefault(task.programs, len(order)))
    run = _Running(
        ledger, left, before=len(there), refused=refused, tell=tell, rules=rules
    )
    while run.waiting:
        # A pool that lost a process is broken; the next one continues.
        with executors.open() as executor:
            run.drain(executor, executors.ahead)
    if run.stuck:
        point, reason = run.stuck[0]
        raise SweepError(
            f"{len(run.stuck)} of {len(tasks):,} points have no result; the others are "
            f"kept, and running the same again tries these; the first is {point}: "
            f"{reason}"
        )
    return _rows(tasks, ledger, run.given_up)


class _Running:
    """State of a running sweep: waiting tasks, submitted tasks, and deaths."""

    def __init__(
        self,
        ledger: ResultStore,
        left: Sequence[_Task],
        *,
        before: int,
        refused: int,
        tell: Tell,
        rules: PointRules,
    ) -> None:
        # Points that name the same files by different paths are one task.
        self.waiting = deque({task.key: task for task in left}.values())
        self._points = Counter(task.key for task in left)
        self.stuck: list[tuple[SweepPoint, str]] = []
        self.given_up: dict[str, str] = {}
        self._rules = rules
        self._ledger = ledger
        self._before = before
        self._refused = refused
        self._tell = tell
        self._done = 0
        self._deaths: Counter[str] = Counter()
        self._submitted: dict[Future[str], _Task] = {}
        tell(0, before, refused)

    def drain(self, executor: Executor, ahead: int) -> None:
        """Run the waiting tasks until none is left or the executor breaks."""
        broken = False
        # Futures report their end, so that it costs the same however many there are.
        ended: SimpleQueue[Future[str]] = SimpleQueue()
        while self._submitted or (self.waiting and not broken):
            while not broken and self._may_start(ahead):
                broken = not self._start(executor, ended.put)
            if self._submitted:
                future = ended.get()
                broken |= not self._end(self._submitted.pop(future), future)

    def _may_start(self, ahead: int) -> bool:
        """Return whether another task may be submitted now."""
        if not self.waiting or not self._submitted:
            return bool(self.waiting)
        runs_alone = any(
            self._deaths[task.key] >= _ALONE_AFTER_DEATHS
            for task in (self.waiting[0], *self._submitted.values())
        )
        return not runs_alone and len(self._submitted) < ahead

    def _start(
        self, executor: Executor, ended: Callable[["Future[str]"], None]
    ) -> bool:
        """Submit the next task; return whether the executor accepted it.

        `ended` is called with its future when that has a result.
        """
        task = self.waiting[0]
        try:
            with without_interrupt():
                limit_s = self._rules.limit_s
                future = (
                    executor.submit(run_point, task.document, task.key)
                    if limit_s is None
                    else executor.submit(
                        run_point_within, task.document, task.key, limit_s
                    )
                )
        except BrokenExecutor:
            return False
        self._submitted[future] = self.waiting.popleft()
        future.add_done_callback(ended)
        return True

    def _end(self, task: _Task, future: "Future[str]") -> bool:
        """Write the outcome of a task; return whether the executor still works."""
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
        except PointLimitError as error:
            self.given_up[task.key] = str(error)
            self._count(task, refused=True)
            self._check(task, str(error))
            return True
        except Exception as error:
            # A program error of one point must not stop the others.
            self.stuck.append((task.point, f"{type(error).__name__}: {error}"))
            return True
        self._ledger.record(task.key, task.document, outcome)
        made = json.loads(outcome)
        self._count(task, refused=not made["feasible"])
        if not made["feasible"]:
            self._check(task, made["reason"])
        elif is_broken(made["numbers"]):
            self._check(task, "it lost tokens, or violated its schedule", broken=True)
        return True

    def _count(self, task: _Task, *, refused: bool) -> None:
        """Count a task that is done, and tell of it."""
        points = self._points[task.key]
        self._done += points
        self._refused += points * refused
        self._tell(self._done, self._before, self._refused)

    def _check(self, task: _Task, reason: str, *, broken: bool = False) -> None:
        """End the sweep if the first failure is to end it."""
        if self._rules.fail_fast:
            raise FirstFailureError(
                f"--fail-fast: {task.point}: {reason}; "
                f"{self._before + self._done:,} points are kept",
                broken=broken,
            )

    def _died(self, task: _Task) -> None:
        """Queue a task again whose process died, or give it up."""
        self._deaths[task.key] += 1
        if self._deaths[task.key] < _MOST_DEATHS:
            self.waiting.append(task)
            return
        reason = "its process died whenever it ran; is there enough memory?"
        self.stuck.append((task.point, reason))


def results_csv(rows: Sequence[TableRow]) -> bytes:
    """Return the rows of a sweep as CSV; a column that a row lacks is empty.

    `feasible` and `reason` come last. Equal rows give equal bytes.
    """
    columns = dict.fromkeys(name for row in rows for name in row)
    last = ("feasible", "reason")
    names = [*(name for name in columns if name not in last), *last]
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def point_keys(sweep: Sweep) -> list[str]:
    """Return the keys of a sweep's points in the ledger, in order."""
    return [point_key(settled(point.scenario)) for point in sweep.points]


def _task(point: SweepPoint) -> _Task:
    """Return the task of a sweep point."""
    scenario = settled(point.scenario)
    return _Task(
        key=point_key(scenario),
        document=scenario.model_dump_json(),
        programs=of_any_run(scenario).model_dump_json(),
        point=point,
    )


def _rows(
    tasks: Sequence[_Task], ledger: ResultStore, given_up: Mapping[str, str]
) -> list[TableRow]:
    """Return the rows of a sweep's results, in the order of the tasks."""
    outcomes = ledger.outcomes(task.key for task in tasks)
    rows = []
    for task in tasks:
        outcome = outcomes.get(task.key)
        if outcome is None:
            outcome = Outcome(feasible=False, reason=given_up[task.key], numbers={})
        feasibility = {"feasible": outcome.feasible, "reason": outcome.reason}
        rows.append({**task.point.swept, **outcome.numbers, **feasibility})
    return rows
