"""Columns of the table of tokens: each delivered token with its latency by cause.

They are arrays, since to load pandas takes longer than a small simulation.
"""

import numpy as np
from numpy.typing import NDArray

from experiments.run.context_buckets import token_context
from experiments.run.scenario import Run
from experiments.tables.columns import COLUMNS
from fabric.clocks.clock import Clock
from fabric.results.result import Failover, IterationRow
from specs.arrays import Ints
from specs.units import PPM

# Causes that get what a token took beyond its schedule: before and after a failover.
_DRIFT_CAUSE, _DETOUR_CAUSE = "deskew", "link"


def token_columns(run: Run) -> dict[str, Ints]:
    """Return the columns of the table of delivered tokens, in order of token.

    The schedule gives the cycles of each cause, in cycles of the leader's crystal,
    which all chips follow. The difference between them and the measured latency is a
    few cycles at most. It counts as deskew, and after a failover as link, because then
    other routes cause it. A damaged token also has the time of its earlier attempts.

    Returns
    -------
    dict
        Columns of `experiments.tables.columns.COLUMNS` by name, and after a prompt
        ``bucket_tokens``; shape ``(delivered tokens,)``.
    """
    offset_ppm = run.result.chips.offset_ppm[run.schedule.program.leader]
    hz = round(run.prepared.machine.chip.clock_hz * (1 + offset_ppm / PPM))
    share_ps = np.array(
        [
            np.diff(Clock(frequency_hz=hz).edges_ps(np.cumsum([0, *each])))
            for each in (bucket.schedule.breakdown for bucket in run.buckets)
        ]
    )
    attempts = _attempts(run)
    delivered = attempts["delivered"] > 0
    start_ps = _begun_ps(attempts)[delivered]
    done = {name: column[delivered] for name, column in attempts.items()}
    failover_ps = np.zeros_like(start_ps)
    moved = np.zeros(len(start_ps), dtype=bool)
    for failover in run.result.failovers:
        moved |= done["start_ps"] >= failover.resumed_ps
        # The latency of a token that could not start before includes the failover.
        start_ps[_first_after(done, start_ps, failover)] = failover.stopped_ps
        within = (start_ps <= failover.stopped_ps) & (
            done["end_ps"] >= failover.resumed_ps
        )
        failover_ps[within] += failover.duration_ps
    served = run.bucket_of(done["token"])
    causes = run.schedule.breakdown._fields
    scenario = run.prepared.scenario
    columns: dict[str, Ints] = {
        "token": done["token"],
        "sequence": done["sequence"],
        "context_tokens": token_context(scenario, done["token"]),
        "start_ps": start_ps,
        "end_ps": done["end_ps"],
        "latency_ps": done["end_ps"] - start_ps,
        **{f"{each}_ps": share_ps[served, place] for place, each in enumerate(causes)},
        "replay_ps": done["start_ps"] - start_ps - failover_ps,
        "failover_ps": failover_ps,
        "attempts": done["attempt"] + 1,
    }
    beyond_ps = done["end_ps"] - done["start_ps"] - share_ps.sum(axis=1)[served]
    columns[f"{_DRIFT_CAUSE}_ps"] += np.where(moved, 0, beyond_ps)
    columns[f"{_DETOUR_CAUSE}_ps"] += np.where(moved, beyond_ps, 0)
    shown = {name: columns[name] for name in COLUMNS["tokens"]}
    if scenario.prompt:
        contexts = np.array([bucket.context_tokens for bucket in run.buckets])
        shown["bucket_tokens"] = contexts[served]
    order = np.lexsort((shown["sequence"], shown["token"]))
    return {name: column[order] for name, column in shown.items()}


def _attempts(run: Run) -> dict[str, Ints]:
    """Return the iterations of a run by column, for its table of tokens."""
    rows = np.array(run.result.iterations, dtype=np.int64)
    columns = rows.reshape(-1, len(IterationRow._fields)).T
    return dict(zip(IterationRow._fields, columns, strict=True))


def _begun_ps(attempts: dict[str, Ints]) -> NDArray[np.int64]:
    """Return when the first attempt at each token of the table began, in ps."""
    users = np.stack([attempts["sequence"], attempts["token"]])
    _, token = np.unique(users, axis=1, return_inverse=True)
    begun_ps = np.full(token.max(initial=-1) + 1, np.iinfo(np.int64).max)
    np.minimum.at(begun_ps, token, attempts["start_ps"])
    return begun_ps[token]


def _first_after(
    done: dict[str, Ints], start_ps: NDArray[np.int64], failover: Failover
) -> list[int]:
    """Return the table row of each sequence's first token after a failover.

    A sequence whose token was in flight at the failover has none.
    """
    later = np.flatnonzero(start_ps >= failover.resumed_ps)
    sequences = done["sequence"]
    begun_before = {
        int(sequences[row])
        for row in np.flatnonzero(
            (start_ps < failover.resumed_ps) & (done["end_ps"] > failover.resumed_ps)
        )
    }
    first: dict[int, int] = {}
    for row in later[np.argsort(start_ps[later], kind="stable")].tolist():
        first.setdefault(int(sequences[row]), row)
    return [row for sequence, row in first.items() if sequence not in begun_before]
