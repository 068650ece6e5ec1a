import json
import signal
import time

import pytest

from experiments.sweep import point_failures, runner
from experiments.sweep.axes import read_axes
from experiments.sweep.executors import ExecutorFactory
from experiments.sweep.grid import Sweep, sweep_of
from experiments.sweep.point_failures import (
    FirstFailureError,
    PointLimitError,
    PointRules,
    is_broken,
    run_point_within,
)
from experiments.sweep.result_store import ResultStore
from experiments.sweep.runner import point_keys, run_sweep
from tests.experiments.sweep.test_runner import quiet, whimsical

IN_ORDER: ExecutorFactory = whimsical(1, ahead=1)


def seeds(*values: int) -> Sweep:
    return sweep_of({}, read_axes({"seed": [*values]}, "mine"), "mine")


def slow(_document: str, _key: str) -> str:
    time.sleep(5)
    return "never"


def test_a_point_that_takes_too_long_is_stopped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(point_failures, "run_point", slow)
    before = signal.getsignal(signal.SIGALRM)
    began_s = time.monotonic()
    with pytest.raises(PointLimitError, match=r"took over 0\.05 s"):
        run_point_within("", "", 0.05)
    assert time.monotonic() - began_s < 4
    assert signal.getsignal(signal.SIGALRM) is before


def test_a_point_in_time_is_not_stopped_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(point_failures, "run_point", lambda *_: "made")
    assert run_point_within("", "", 0.05) == "made"
    time.sleep(0.1)


def too_slow(document: str, _key: str, limit_s: float) -> str:
    if '"seed":2,' in document:
        raise PointLimitError(f"took over {limit_s:g} s")
    return '{"feasible": true, "reason": "", "numbers": {"n": 1}}'


def test_a_point_that_took_too_long_has_a_row_and_is_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(runner, "run_point_within", too_slow)
    sweep = seeds(1, 2, 3)
    with ResultStore(None) as ledger:
        rows = run_sweep(sweep, ledger, IN_ORDER, quiet, PointRules(limit_s=7))
        kept = ledger.outcomes(point_keys(sweep))
    assert [row["feasible"] for row in rows] == [True, False, True]
    assert rows[1]["reason"] == "took over 7 s"
    assert len(kept) == 2


def outcome(document: str, _key: str) -> str:
    lost = 5 * ('"seed":2,' in document)
    refused = '"seed":3,' in document
    numbers = {} if refused else {"faults.tokens_lost": lost}
    made = {"feasible": not refused, "reason": "three" * refused, "numbers": numbers}
    return json.dumps(made)


@pytest.mark.parametrize(
    ("order", "kept", "broken", "why"),
    [((1, 2, 3), 2, True, "lost tokens"), ((1, 3, 2), 2, False, "three")],
)
def test_the_first_failure_ends_the_sweep_and_what_is_done_is_kept(
    monkeypatch: pytest.MonkeyPatch,
    order: tuple[int, ...],
    kept: int,
    broken: bool,
    why: str,
) -> None:
    monkeypatch.setattr(runner, "run_point", outcome)
    sweep = seeds(*order)
    with ResultStore(None) as ledger:
        with pytest.raises(FirstFailureError, match=why) as failure:
            run_sweep(sweep, ledger, IN_ORDER, quiet, PointRules(fail_fast=True))
        assert failure.value.broken == broken
        assert len(ledger.outcomes(point_keys(sweep))) == kept
        # Without the rule the others run.
        assert len(run_sweep(sweep, ledger, IN_ORDER, quiet)) == 3


def test_a_point_is_broken_if_a_token_is_lost_or_late() -> None:
    assert is_broken({"violations.underflow": 1})
    assert not is_broken({"violations.underflow": 0, "faults.replays": 4})
