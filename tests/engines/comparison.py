"""Comparison of two engines: every number of a run, and every file that it leaves."""

import json
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from experiments.report.run_summary import summarise
from experiments.run.scenario import Run
from experiments.tables.atomic_write import csv_bytes
from experiments.tables.run_tables import TABLES
from experiments.tables.sram import sram_table
from experiments.trace.chrome_json import chrome_json
from experiments.trace.trace import token_trace
from experiments.trace.window import Window

# What the engines are free to differ in: their name, and what they cost.
_COSTS = ("engine", "events", "wall_s", "peak_rss_bytes", "realtime_factor")


def differences(one: object, other: object, name: str = "result") -> list[str]:
    """Return the names of all parts in which two values differ, by every number."""
    if is_dataclass(one) and not isinstance(one, type):
        return [
            found
            for field in fields(one)
            for found in differences(
                getattr(one, field.name), getattr(other, field.name), field.name
            )
        ]
    if isinstance(one, np.ndarray):
        return [] if np.array_equal(one, np.asarray(other)) else [name]
    if isinstance(one, tuple) and one and is_dataclass(one[0]):
        assert isinstance(other, tuple)
        parts = [differences(a, b, name) for a, b in zip(one, other, strict=True)]
        return [found for part in parts for found in part]
    return [] if one == other else [name]


def files_of(run: Run) -> dict[str, bytes]:
    """Return the content of every file of a run, but for its pictures.

    They are drawn from the same tables.
    """
    window = Window()
    content = {f"{name}.csv": csv_bytes(table(run)) for name, table in TABLES.items()}
    content["sram.csv"] = csv_bytes(sram_table(run, window))
    document: dict[str, Any] = summarise(run).document()
    document["inputs"] = {**document["inputs"], "engine": ""}
    document["run"] = {k: v for k, v in document["run"].items() if k not in _COSTS}
    content["summary.json"] = json.dumps(document).encode()
    content["trace.json"] = chrome_json(token_trace(run, window))
    return content
