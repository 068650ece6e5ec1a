"""Run for a notebook: its tables as data frames, its summary, its report."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, final

import pandas as pd

from experiments.html_report.html_page import report_page
from experiments.html_report.html_tables import html_table
from experiments.html_report.run_folder import read_run_folder
from experiments.report.run_files import write_run
from experiments.report.run_summary import summarise
from experiments.run.scenario import Run
from experiments.tables.atomic_write import write_bytes
from experiments.tables.run_tables import TABLES
from experiments.trace.window import Window
from specs.short_repr import short_repr

# What a notebook shows first, by the keys of the summary.
_FIRST = (
    "iteration.latency_ns.mean",
    "token.tokens_per_s_per_user",
    "schedule.latency_cycles",
    "schedule.lower_bound_cycles",
    "schedule.certificate",
    "plan.strategy",
    "plan.chips_used",
    "plan.fullest_chip_bytes",
    "faults.tokens_lost",
)


@final
@dataclass(frozen=True, eq=False)
class ScenarioRun:
    """A scenario that has been run, with its tables.

    `experiments.tables.columns` says what each column means, with its unit.

    Parameters
    ----------
    run
        The run.
    """

    run: Run

    __repr__ = short_repr

    @cached_property
    def summary(self) -> dict[str, Any]:
        """The summary, as ``groqrack simulate --json`` prints it."""
        return summarise(self.run).document()

    @cached_property
    def tokens(self) -> pd.DataFrame:
        """A row for each delivered token: its latency in ps, and the parts of it."""
        return TABLES["tokens"](self.run)

    @cached_property
    def links(self) -> pd.DataFrame:
        """A row for each directed link: traffic, slack in cycles, errors."""
        return TABLES["links"](self.run)

    @cached_property
    def chips(self) -> pd.DataFrame:
        """A row for each chip: its place, memory in bytes, work in cycles."""
        return TABLES["chips"](self.run)

    @cached_property
    def stages(self) -> pd.DataFrame:
        """A row for each pipeline stage."""
        return TABLES["stages"](self.run)

    @cached_property
    def timeline(self) -> pd.DataFrame:
        """A row for each operator and exchange of a token, in cycles."""
        return TABLES["timeline"](self.run)

    def write(self, folder: Path | str) -> list[Path]:
        """Write the files of ``--out`` into a folder; return their paths.

        Raises
        ------
        OutputError
            If a file cannot be written.
        """
        return write_run(self.run, summarise(self.run), Path(folder), Window())

    def write_report(self, folder: Path | str) -> Path:
        """Write the files of ``--out`` and ``report.html`` into a folder.

        Returns
        -------
        Path
            The page.

        Raises
        ------
        OutputError
            If a file cannot be written.
        """
        self.write(folder)
        page = report_page([read_run_folder(Path(folder))])
        return write_bytes(Path(folder) / "report.html", page.encode())

    def _repr_html_(self) -> str:
        """Return the numbers that a notebook shows."""
        rows = []
        for key in _FIRST:
            block, _, name = key.partition(".")
            value: Any = self.summary.get(block, {})
            for part in name.split("."):
                value = value.get(part) if isinstance(value, dict) else None
            if value is not None:
                rows.append(
                    [key, f"{value:,}" if not isinstance(value, str) else value]
                )
        return html_table("run", ["key", "value"], rows)
