"""Comparison of what two files say of served requests, metric by metric."""

from dataclasses import asdict, dataclass
from typing import Any, final

from experiments.calibration.measured import (
    LATENCIES,
    METRICS,
    STATISTICS,
    Measured,
)

SCHEMA = "groqrack-fabric/compare/1"
# Requests whose mean lengths differ by more are another load.
_SAME_LENGTH = 0.01


@final
@dataclass(frozen=True, kw_only=True)
class Compared:
    """Statistic of a metric in both files; None where a file does not have it.

    Attributes
    ----------
    metric, statistic, unit
        What is compared.
    run, measured
        The values.
    difference, relative
        `measured` - `run`, and that over `run`.
    same_definition
        Whether both tools mean the same by it.
    """

    metric: str
    statistic: str
    unit: str
    run: float | None
    measured: float | None
    difference: float | None
    relative: float | None
    same_definition: bool


@final
@dataclass(frozen=True)
class Comparison:
    """Two files, their rows, and what a reader must know before he compares them."""

    run: Measured
    measured: Measured
    rows: tuple[Compared, ...]
    remarks: tuple[str, ...]


def compare(run: Measured, measured: Measured) -> Comparison:
    """Return the comparison of a run with what was measured.

    Parameters
    ----------
    run, measured
        What each file says.
    """
    rows = tuple(
        _compared(run, measured, metric, statistic)
        for metric in METRICS
        for statistic in STATISTICS
        if any((metric, statistic) in each.values for each in (run, measured))
    )
    remarks = (
        *_names(run, measured),
        *_definitions(run, measured, rows),
        *_loads(run, measured),
        *_missing(run, rows, "run"),
        *_missing(measured, rows, "measured"),
    )
    return Comparison(run, measured, rows, remarks)


def _compared(
    run: Measured, measured: Measured, metric: str, statistic: str
) -> Compared:
    """Return a row of a comparison."""
    ours, theirs = (each.values.get((metric, statistic)) for each in (run, measured))
    difference = relative = None
    if ours is not None and theirs is not None:
        difference = theirs - ours
        relative = difference / ours if ours else None
    return Compared(
        metric=metric,
        statistic=statistic,
        unit=METRICS[metric].unit,
        run=ours,
        measured=theirs,
        difference=difference,
        relative=relative,
        same_definition=run.definition(metric, statistic)
        == measured.definition(metric, statistic),
    )


def _names(run: Measured, measured: Measured) -> list[str]:
    """Return which metrics the tools call by different names."""
    return [
        f"{METRICS[metric].text}: {run.tool} calls it {run.called[metric]}, "
        f"{measured.tool} {measured.called[metric]}"
        for metric in LATENCIES
        if metric in run.called
        and metric in measured.called
        and run.called[metric] != measured.called[metric]
    ]


def _definitions(
    run: Measured, measured: Measured, rows: tuple[Compared, ...]
) -> list[str]:
    """Return which metrics the tools define in different ways."""
    remarks = []
    for metric in LATENCIES:
        differing = [
            row.statistic
            for row in rows
            if row.metric == metric
            and row.difference is not None
            and not row.same_definition
        ]
        if differing:
            one, other = (
                each.definition(metric, differing[0]) for each in (run, measured)
            )
            remarks.append(
                f"{METRICS[metric].text}, {', '.join(differing)}: {run.tool} "
                f"has {one}; {measured.tool} {other}"
            )
    return remarks


def _loads(run: Measured, measured: Measured) -> list[str]:
    """Return whether the requests are of different lengths."""
    remarks = []
    for metric in ("input_tokens", "output_tokens"):
        one, other = (each.values.get((metric, "mean")) for each in (run, measured))
        if one is None or other is None or abs(other - one) <= _SAME_LENGTH * one:
            continue
        remarks.append(
            f"not the same load: {METRICS[metric].text} are {one:,.1f} in "
            f"{run.file} and {other:,.1f} in {measured.file}"
        )
    return remarks


def _missing(file: Measured, rows: tuple[Compared, ...], side: str) -> list[str]:
    """Return what a file does not say and the other does."""
    missing: dict[str, list[str]] = {}
    for row in rows:
        # With the first token only GuideLLM has more than the mean.
        if getattr(row, side) is None and row.metric != "tpot_with_first":
            missing.setdefault(row.metric, []).append(row.statistic)
    if not missing:
        return []
    told = []
    for metric, statistics in missing.items():
        some = f"{' '.join(statistics)} of " if metric in LATENCIES else ""
        told.append(some + METRICS[metric].text)
    hint = (
        f"; {file.hint} may add some"
        if file.hint and missing.keys() & LATENCIES
        else ""
    )
    return [f"{file.file} lacks {', '.join(told)}{hint}"]


def comparison_document(comparison: Comparison) -> dict[str, Any]:
    """Return what ``groqrack compare --json`` prints."""
    return {
        "schema": SCHEMA,
        **{
            side: {
                "file": file.file,
                "tool": file.tool,
                "definitions": dict(file.definitions),
                "names": dict(file.called),
            }
            for side, file in (
                ("run", comparison.run),
                ("measured", comparison.measured),
            )
        },
        "metrics": [asdict(row) for row in comparison.rows],
        "remarks": list(comparison.remarks),
    }
