"""Command ``groqrack sweep``, and sweeps of ``groqrack simulate --set KEY=A,B``."""

import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from experiments.cli.options import AsJson, plain_console
from experiments.cli.scenario_options import (
    ScenarioOptions,
    content_from,
    parse_settings,
)

if TYPE_CHECKING:
    from rich.table import Table

    from experiments.sweep.grid import Sweep
    from experiments.sweep.point_failures import PointRules

_RESULTS = "results.csv"
# What a person looks at first; all else is in the CSV and the JSON.
_SHOWN = {
    "iteration.latency_ns.p50": "token ns",
    "token.tokens_per_s_per_user": "tokens/s",
    "faults.replays": "replays",
    "violations.underflow": "late",
    "faults.tokens_lost": "lost",
}
_REFUSED = 2
_VIOLATED = 3
_MOST_SHOWN = 50


def sweep_command(
    path: Annotated[
        Path,
        typer.Argument(metavar="SWEEP.toml", help="Scenario with a table of axes."),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder of results.csv and ledger.sqlite.",
            show_default="results/SWEEP",
        ),
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option(min=1, help="Processes.", show_default="one per processor"),
    ] = None,
    executor: Annotated[
        str, typer.Option(help="local, or dask:ADDRESS of a scheduler.")
    ] = "local",
    fail_fast: Annotated[
        bool,
        typer.Option("--fail-fast", help="End at the first point that fails."),
    ] = False,
    point_limit: Annotated[
        float | None,
        typer.Option(
            min=0.1,
            metavar="SECONDS",
            help="Give up points that take longer.",
            show_default="none",
        ),
    ] = None,
    shard: Annotated[
        str | None,
        typer.Option(
            metavar="I/N",
            help="Run the I-th of N parts of the points; slurm, by its variables.",
            show_default="all",
        ),
    ] = None,
    merge: Annotated[
        bool,
        typer.Option("--merge", help="Join the results of all shards in the folder."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Run every point of a sweep; run it again to continue an interrupted one."""
    from experiments.sweep.grid import load_sweep
    from experiments.sweep.point_failures import PointRules
    from experiments.sweep.shards import shard_named
    from specs.errors import SpecError

    if shard is not None and merge:
        raise SpecError("--merge joins shards that have run; give it without --shard")
    if point_limit is not None and executor != "local":
        raise SpecError(
            f"--point-limit works with --executor local, not {executor}: a cluster's "
            "workers run points in threads, which nothing can stop"
        )
    sweep = load_sweep(path)
    folder = Path("results") / path.stem if out is None else out
    if shard is not None:
        own = shard_named(shard)
        if own.total > len(sweep.points):
            raise SpecError(
                f"--shard {shard}: {path} has {len(sweep.points):,} points, fewer than "
                f"shards; use N = {len(sweep.points)} or less"
            )
        sweep, folder = own.part(sweep), folder / own.folder
    _sweep(
        sweep,
        folder,
        jobs=jobs,
        executor=executor,
        rules=PointRules(point_limit, fail_fast),
        merge=merge,
        as_json=as_json,
    )


def simulate_each(options: ScenarioOptions, out: Path | None, *, as_json: bool) -> bool:
    """Run ``simulate`` as a sweep if a setting has several values; return whether so.

    Parameters
    ----------
    options
        What the command line says; its settings may have several values.
    out
        Folder of the results; None to keep none.
    as_json
        Whether to print JSON and nothing else.
    """
    fixed, swept = parse_settings(options.settings)
    if not swept:
        return False
    from experiments.sweep.axes import read_axes
    from experiments.sweep.grid import sweep_of, swept_number

    check_strategies(swept.get("strategy", []))
    axes = read_axes(
        {key: list(map(swept_number, values)) for key, values in swept.items()}, "--set"
    )
    base = content_from(options, fixed)
    _sweep(sweep_of(base, axes, "--set"), out, as_json=as_json)
    return True


def check_strategies(values: list[str]) -> None:
    """Refuse one strategy of several words, which commas make a list.

    Raises
    ------
    SpecError
        If it is one.
    """
    from specs.errors import SpecError

    words = [value.partition("=")[0] for value in values if "=" in value]
    if 1 < len(values) == len(set(words)):
        said = ",".join(values)
        raise SpecError(
            f"--set strategy={said}: is one strategy; write --strategy {said}, or "
            f"sweep a part of it, as in strategy.{words[0]}=4,8"
        )


def _sweep(
    sweep: "Sweep",
    folder: Path | None,
    *,
    jobs: int | None = None,
    executor: str = "local",
    rules: "PointRules | None" = None,
    merge: bool = False,
    as_json: bool,
) -> None:
    """Run a command's sweep and print its table, or its rows as JSON."""
    from experiments.sweep.executors import executor_named
    from experiments.sweep.point_failures import (
        NO_RULES,
        FirstFailureError,
        is_broken,
    )
    from experiments.sweep.progress import SweepProgress
    from experiments.sweep.result_store import ResultStore
    from experiments.sweep.runner import point_keys, results_csv, run_sweep
    from experiments.sweep.shards import LEDGER, merge_shards
    from experiments.tables.atomic_write import check_writable, write_bytes

    total = len(sweep.points)
    executors = executor_named(executor, min(jobs or os.cpu_count() or 1, total))
    if folder is not None:
        check_writable(folder)
    with _ended_in_order(), ResultStore(folder and folder / LEDGER) as ledger:
        if merge and folder is not None:
            merge_shards(folder, ledger, point_keys(sweep))
        try:
            rows = run_sweep(
                sweep, ledger, executors, SweepProgress(total), rules or NO_RULES
            )
        except FirstFailureError as failure:
            print(f"\nerror: {failure}", file=sys.stderr)
            raise typer.Exit(_VIOLATED if failure.broken else _REFUSED) from None
        except (KeyboardInterrupt, _TerminatedExit):
            if folder is not None:
                kept = f"finished points are kept in {ledger.path}; run the same again"
                print(f"\n{kept} to go on", file=sys.stderr)
            raise
        if folder is not None:
            write_bytes(folder / _RESULTS, results_csv(rows))
    if as_json:
        print(json.dumps(rows, indent=2))
    else:
        _print_results(sweep.names, rows)
        if folder is not None:
            print(f"\nwrote {folder / _RESULTS} and {folder / LEDGER}")
    if any(map(is_broken, rows)):
        raise typer.Exit(_VIOLATED)


def _print_results(names: tuple[str, ...], rows: list[dict[str, Any]]) -> None:
    """Print the table of a sweep, and what it says of points that did not succeed."""
    from experiments.sweep.point_failures import is_broken

    total = len(rows)
    plain_console().print(_table(names, rows))
    refused = [row for row in rows if not row["feasible"]]
    if refused:
        print(f"\n-: refused, {len(refused):,} of {total:,}; the first: ", end="")
        print(refused[0]["reason"])
    broken = [row for row in rows if is_broken(row)]
    if broken:
        first = ", ".join(f"{name}={broken[0][name]}" for name in names)
        print(
            f"\nlost tokens or violations of the schedule in {len(broken):,} of "
            f"{total:,}; the first: {first}"
        )


class _TerminatedExit(SystemExit):
    """The end that SIGTERM asks for."""


@contextmanager
def _ended_in_order() -> Iterator[None]:
    """Let SIGTERM, which job schedulers send, end the command as Ctrl-C does."""

    def end(*_: object) -> None:
        # As a shell tells it.
        raise _TerminatedExit(128 + signal.SIGTERM)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _table(names: tuple[str, ...], rows: list[dict[str, Any]]) -> "Table":
    """Return the table that the command prints of a sweep."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for name in names:
        table.add_column(name, justify="right", overflow="fold")
    for key, heading in _SHOWN.items():
        # What was asked may take a second line; a number is never cut.
        cells = [_shown(row.get(key)) for row in rows[:_MOST_SHOWN]]
        widest = max(map(len, [heading, *cells]))
        table.add_column(heading, justify="right", no_wrap=True, min_width=widest)
    for row in rows[:_MOST_SHOWN]:
        swept = [str(row[name]) for name in names]
        table.add_row(*swept, *(_shown(row.get(key)) for key in _SHOWN))
    if len(rows) > _MOST_SHOWN:
        table.caption = f"the first {_MOST_SHOWN} of {len(rows):,} points"
        table.caption_justify = "left"
    return table


def _shown(value: int | float | None) -> str:
    """Return a number as the command prints it, a dash for none."""
    if value is None:
        return "-"
    return f"{value:,.1f}" if isinstance(value, float) else f"{value:,}"
