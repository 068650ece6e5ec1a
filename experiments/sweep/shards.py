"""Shards of a sweep: parts of its points for jobs that share nothing but a disk."""

import os
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import NamedTuple

from experiments.sweep.grid import Sweep
from experiments.sweep.result_store import ResultStore
from specs.errors import OutputError, SpecError

LEDGER = "ledger.sqlite"
_SLURM = "slurm"
# What Slurm tells each job of an array.
_NUMBER, _LEAST, _MOST, _STEP = (
    f"SLURM_ARRAY_TASK_{name}" for name in ("ID", "MIN", "MAX", "STEP")
)


class Shard(NamedTuple):
    """One of several parts of a sweep.

    Attributes
    ----------
    number, total
        Which it is, from 1, and how many there are.
    """

    number: int
    total: int

    @property
    def folder(self) -> str:
        """Return the name of the shard's folder inside that of the sweep."""
        return f"shard-{self.number}-of-{self.total}"

    def part(self, sweep: Sweep) -> Sweep:
        """Return the points of this shard: every `total`-th of the sweep."""
        return Sweep(sweep.names, sweep.points[self.number - 1 :: self.total])


def shard_named(text: str, environment: Mapping[str, str] = os.environ) -> Shard:
    """Return the shard of a sweep that ``--shard`` names.

    Parameters
    ----------
    text
        ``2/8``, the second of eight, or ``slurm``, by the variables of a job array.
    environment
        Variables of the process.

    Raises
    ------
    SpecError
        If there is no such shard, or Slurm says of none.

    Examples
    --------
    >>> shard_named("2/8")
    Shard(number=2, total=8)
    >>> variables = {"ID": "5", "MIN": "1", "MAX": "9", "STEP": "2"}
    >>> shard_named("slurm", {f"SLURM_ARRAY_TASK_{k}": v for k, v in variables.items()})
    Shard(number=3, total=5)
    """
    if text == _SLURM:
        return _of_slurm(environment)
    written = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text)
    number, count = map(int, written.groups()) if written else (0, 0)
    if not 1 <= number <= count:
        raise SpecError(
            f"--shard {text}: write I/N with I from 1 to N, as in 2/8; or slurm, in a "
            "job array"
        )
    return Shard(number, count)


def _of_slurm(environment: Mapping[str, str]) -> Shard:
    """Return the shard of a job of a Slurm array."""
    try:
        number, least, most = (int(environment[k]) for k in (_NUMBER, _LEAST, _MOST))
        step = int(environment.get(_STEP, "1"))
        shard = Shard((number - least) // step + 1, (most - least) // step + 1)
    except (KeyError, ValueError, ZeroDivisionError):
        raise SpecError(
            f"--shard slurm: {_NUMBER}, {_LEAST} and {_MOST} are not set; it works in "
            "a job of an array, as sbatch --array=1-8 starts them; else write I/N"
        ) from None
    return shard


def merge_shards(folder: Path, ledger: ResultStore, keys: Collection[str]) -> int:
    """Copy the outcomes of all shards below a sweep's folder; return how many shards.

    Parameters
    ----------
    folder
        Folder of the sweep.
    ledger
        Its own ledger, which receives them.
    keys
        Keys of the sweep's points; others are left where they are.

    Raises
    ------
    OutputError
        If there are no shards, a ledger cannot be read, or points are in none.
    """
    paths = sorted(folder.glob(f"shard-*-of-*/{LEDGER}"))
    if not paths:
        raise OutputError(
            f"--merge: there is no {folder}/shard-I-of-N/{LEDGER}; run the shards "
            "first, as in --shard 1/2 and --shard 2/2"
        )
    for path in paths:
        with ResultStore(path) as shard:
            shard.copy_to(ledger, keys)
    missing = len(set(keys)) - len(ledger.outcomes(keys))
    if missing:
        raise OutputError(
            f"--merge: {missing:,} of {len(set(keys)):,} points are in none of the "
            f"{len(paths)} shards in {folder}; run the shards that are missing or were "
            "interrupted, or leave --merge out to run the points here"
        )
    return len(paths)
