"""What experiment scripts have in common: their options and the files they leave."""

import argparse
import sys
import textwrap
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from experiments.figure import picture_bytes
from experiments.writing import check_writable, csv_bytes, write_bytes
from specs.errors import RackError

_WIDTH = 80
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
        add tables that are written beside the first as ``<name>_<key>.csv``.
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
    try:
        check_writable(options.out)
        table, figure, *more = experiment(options.seed, options.quick)
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
        print("interrupted; no file is left half-written", file=sys.stderr)
        sys.exit(130)
    print(brief(table, shown, digits=digits))
    print("\nwrote " + " and ".join(map(str, written)))


def brief(table: pd.DataFrame, shown: Mapping[str, str], *, digits: int = 1) -> str:
    """Return the columns that matter most, in lines that fit a terminal.

    The reason why a point was refused is too long for a line: it is in the CSV.
    """
    names = [name for name in shown if name in table.columns]
    lines = (
        table[names]
        .rename(columns=shown)
        .to_string(
            index=False, na_rep="-", float_format=partial(_number, digits=digits)
        )
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
