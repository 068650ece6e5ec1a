"""Folder of a run: the summary and the tables that ``--out`` has left there."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import pandas as pd

from experiments.tables.columns import COLUMNS
from specs.errors import SpecError
from specs.short_repr import short_repr

# By the schema of the summary: what the folder is called in messages, and its tables.
SIMULATION, SERVICE = "simulation", "service"
_KINDS = {
    "groqrack-fabric/simulate/1": SIMULATION,
    "groqrack-fabric/traffic/1": SERVICE,
}
_SIMULATED = ("tokens", "links", "chips", "stages", "timeline", "sram")
# What the report draws of served requests.
_REQUESTS = (
    "request",
    "replica",
    "slot",
    "arrival_ps",
    "admitted_ps",
    "first_token_ps",
    "end_ps",
    "prompt_tokens",
    "output_tokens",
    "queue_ps",
    "ttft_ps",
    "tpot_ps",
    "e2el_ps",
    "outcome",
    "slo_met",
)
_TEXT = {"level", "layers", "kind", "name", "outcome", "slo_met"}
_WAY_OUT = "name a folder that groqrack simulate or traffic has written with --out"


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class RunFolder:
    """What a run has left.

    Parameters
    ----------
    name
        Name of the folder.
    kind
        ``simulation`` or ``service``.
    summary
        Its ``summary.json``.
    tables
        Its tables by name, each with the columns that the report reads.
    """

    name: str
    kind: str
    summary: dict[str, Any]
    tables: dict[str, pd.DataFrame]

    __repr__ = short_repr


def read_run_folder(folder: Path) -> RunFolder:
    """Return what a run has left in a folder, checked.

    Raises
    ------
    SpecError
        If the folder or a file is missing, or is not what a run writes.
    """
    if not folder.is_dir():
        raise SpecError(f"{folder} is no folder; {_WAY_OUT}")
    summary = _read_summary(folder)
    schema = summary.get("schema")
    kind = _KINDS.get(schema) if isinstance(schema, str) else None
    if kind is None:
        raise SpecError(f"{folder}: schema {schema!r} is of no run; {_WAY_OUT}")
    wanted = (
        {name: tuple(COLUMNS[name]) for name in _SIMULATED}
        if kind == SIMULATION
        else {"requests": _REQUESTS}
    )
    tables = {
        name: _read_table(folder / f"{name}.csv", columns)
        for name, columns in wanted.items()
    }
    name = folder.name or folder.resolve().name
    return RunFolder(name=name, kind=kind, summary=summary, tables=tables)


def _read_summary(folder: Path) -> dict[str, Any]:
    """Return the summary of a run's folder."""
    path = folder / "summary.json"
    try:
        summary = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SpecError(f"{folder} has no summary.json; {_WAY_OUT}") from None
    except (OSError, ValueError) as error:
        raise SpecError(f"{path} cannot be read: {error}; {_WAY_OUT}") from None
    if not isinstance(summary, dict):
        raise SpecError(f"{path} holds no JSON object; {_WAY_OUT}")
    return summary


def _read_table(path: Path, columns: tuple[str, ...]) -> pd.DataFrame:
    """Return the columns of a run's table that the report reads.

    Raises
    ------
    SpecError
        If it is missing, lacks a column, or has a word where a number must be.
    """
    try:
        table = pd.read_csv(path, keep_default_na=False, na_values={"": ""}, dtype=str)
    except FileNotFoundError:
        raise SpecError(
            f"there is no {path}; an earlier version wrote fewer files: run it again"
        ) from None
    except (OSError, ValueError) as error:
        raise SpecError(f"{path} cannot be read: {error}; run it again") from None
    missing = [name for name in columns if name not in table.columns]
    if missing:
        raise SpecError(f"{path} has no column {missing[0]}; run it again")
    table = table[list(columns)]
    for name in columns:
        if name in _TEXT:
            table[name] = table[name].fillna("")
            continue
        try:
            table[name] = pd.to_numeric(table[name])
        except (TypeError, ValueError):
            raise SpecError(
                f"{path}: column {name} holds a word where a number must be; run it "
                f"again"
            ) from None
    return table
