"""What experiment scripts have in common: their options and the files they leave."""

import argparse
import shutil
import sys
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Generic, TypeVar, final

import pandas as pd
from matplotlib.figure import Figure

from experiments.harness.checkpoint import Checkpoint
from experiments.plots.run_figure import picture_bytes
from experiments.sweep.result_store import ResultStore
from experiments.tables.atomic_write import check_writable, csv_bytes, write_bytes
from specs.errors import RackError

_WIDTH = 80
_LEDGER = "ledger.sqlite"
# From here on, and below the last digit shown, numbers are printed with an exponent.
_PLAIN_TO = 1e5
# Columns that a person wants first, and what they are called then.
SHOWN = {
    "topology": "topology",
    "chips": "chips",
    "strategy": "strategy",
    "latency_us": "token us",
    "tokens_per_s_per_user": "tokens/s",
    "compute_us": "compute us",
    "link_us": "link us",
    "payload_bytes": "bytes",
    "paths": "paths",
    "algorithm": "algorithm",
    "collective_us": "us",
    "busbw_gb_per_s": "busbw GB/s",
    "routing": "routing",
    "injected_gb_per_s": "GB/s per chip",
    "gain": "gain",
}

Tables = Mapping[str, pd.DataFrame]
# A table and its picture, and further tables by name if one does not say all.
Findings = tuple[pd.DataFrame, Figure] | tuple[pd.DataFrame, Figure, Tables]
Experiment = Callable[[int, bool], Findings]
Made = TypeVar("Made", bound=Findings)


@final
@dataclass(frozen=True)
class Resumable(Generic[Made]):
    """An experiment that keeps its parts until it is through: a decorator.

    Parameters
    ----------
    run
        As an experiment, with what keeps the results of its parts.
    """

    run: Callable[[int, bool, Checkpoint], Made]

    def __call__(self, seed: int, quick: bool) -> Made:
        """Return what is found, keeping nothing."""
        with ResultStore(None) as ledger:
            return self.run(seed, quick, Checkpoint(ledger))


def run_script(
    name: str,
    question: str,
    experiment: Experiment,
    shown: Mapping[str, str] = SHOWN,
    *,
    digits: int = 1,
) -> None:
    """Run an experiment from its command line; write its tables and its picture.

    Parameters
    ----------
    name
        Stem of the files.
    question
        What the experiment asks, for ``--help``.
    experiment
        Takes a seed and whether to be quick; returns a table and a figure, and may
        add tables that are written beside the first as ``<name>_<key>.csv``. The
        parts of a `Resumable` one lie in ``<name>.kept`` until all files are written.
    shown
        Columns of the table that go to the terminal, in order, and their headings.
    digits
        Digits after the point there.
    """
    parser = argparse.ArgumentParser(
        prog=f"python -m experiments.{name}", description=question, allow_abbrev=False
    )
    parser.add_argument("--out", type=Path, default=Path("results"), help="folder")
    parser.add_argument("--seed", type=int, default=1, help="source of all chance")
    parser.add_argument("--quick", action="store_true", help="fewer points")
    options = parser.parse_args()
    if options.seed < 0:
        parser.error(f"--seed {options.seed}: must be 0 or more")
    keep = options.out / f"{name}.kept"
    going_on = 0
    try:
        check_writable(options.out)
        if isinstance(experiment, Resumable):
            check_writable(keep)
            with ResultStore(keep / _LEDGER) as ledger:
                kept = Checkpoint(ledger)
                found = experiment.run(options.seed, options.quick, kept)
            going_on = kept.known
        else:
            found = experiment(options.seed, options.quick)
        table, figure, *more = found
        tables = {name: table}
        for others in more:
            tables |= {f"{name}_{key}": other for key, other in others.items()}
        written = [
            write_bytes(options.out / f"{stem}.csv", csv_bytes(each))
            for stem, each in tables.items()
        ]
        picture = options.out / f"{name}.png"
        written.append(write_bytes(picture, picture_bytes(figure)))
    except RackError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        said = "no file is left half-written"
        if keep.is_dir():
            said = (
                f"finished parts are kept in {keep}; run the same again to go on, or "
                "delete it to start afresh"
            )
        print(f"interrupted; {said}", file=sys.stderr)
        sys.exit(130)
    # A later run is to see the program as it is then.
    shutil.rmtree(keep, ignore_errors=True)
    print(brief(table, shown, digits=digits))
    print("\nwrote " + " and ".join(map(str, written)))
    if going_on:
        print(f"{going_on:,} parts were kept from a run that was interrupted")


def brief(table: pd.DataFrame, shown: Mapping[str, str], *, digits: int = 1) -> str:
    """Return the columns that matter most, in lines that fit a terminal.

    The reason why a point was refused is too long for a line: it is in the CSV.
    """
    names = [name for name in shown if name in table.columns]
    cells = table[names].rename(columns=shown)
    for name, column in cells.select_dtypes("Int64").items():
        # pandas writes <NA> for whole numbers that are missing, whatever it is told.
        cells[name] = column.astype(object).where(column.notna(), "-")
    lines = cells.to_string(
        index=False, na_rep="-", float_format=partial(_number, digits=digits)
    )
    if "feasible" not in table.columns:
        return lines
    refused = int((~table["feasible"]).sum())
    if refused:
        lines += (
            f"\n\n-: refused, {refused} of {len(table)} points; "
            f"the CSV has each reason, such as\n{_first_reason(table)}"
        )
    return lines


def _number(value: float, digits: int = 1) -> str:
    """Return a number in few characters, whatever its size.

    >>> [_number(value) for value in (0.0, 1762.04, 1e-12, 3.7e15)]
    ['0.0', '1,762.0', '1.0e-12', '3.7e+15']
    """
    plain = value == 0 or 10**-digits <= abs(value) < _PLAIN_TO
    return f"{value:,.{digits}f}" if plain else f"{value:.{digits}e}"


def _first_reason(table: pd.DataFrame) -> str:
    reason = str(table.loc[~table["feasible"], "reason"].iloc[0])
    return textwrap.fill(reason, width=_WIDTH)
