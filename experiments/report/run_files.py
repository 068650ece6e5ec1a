"""Files that a run leaves in its folder."""

import importlib.util
import io
import json
from pathlib import Path

import pandas as pd

from experiments.plots.run_figure import picture_bytes, run_figure
from experiments.plots.slack_map import slack_figure
from experiments.report.records import RunSummary
from experiments.run.scenario import Run
from experiments.tables.atomic_write import (
    check_writable,
    csv_bytes,
    write_bytes,
    zipped,
)
from experiments.tables.run_tables import TABLES
from experiments.tables.sram import sram_table
from experiments.trace.chrome_json import chrome_json
from experiments.trace.trace import Trace, token_trace
from experiments.trace.window import Window, check_window


def write_run(run: Run, facts: RunSummary, folder: Path, window: Window) -> list[Path]:
    """Write every report file of a run into `folder`; return their paths.

    Each file appears under its name only when it is complete.

    Raises
    ------
    OutputError
        If a file cannot be written; those written before it stay.
    SpecError
        If the window shows no chip that there is.
    """
    check_window(window, run.prepared.topology.chips)
    check_writable(folder)
    written = []
    for name, table in TABLES.items():
        written.append(_write_table(table(run), folder, name))
    written.append(_write_table(sram_table(run, window), folder, "sram"))
    document = json.dumps(facts.document(), indent=2) + "\n"
    written.append(write_bytes(folder / "summary.json", document.encode()))
    written.append(_write_trace(token_trace(run, window), folder))
    for name, figure in (("token", run_figure), ("slack", slack_figure)):
        picture = picture_bytes(figure(run))
        written.append(write_bytes(folder / f"{name}.png", picture))
    return written


def _write_table(table: pd.DataFrame, folder: Path, name: str) -> Path:
    """Write a table of a run's report as CSV, the schedule compressed."""
    if name != "schedule":
        return write_bytes(folder / f"{name}.csv", csv_bytes(table))
    if importlib.util.find_spec("pyarrow"):
        content = io.BytesIO()
        table.to_parquet(content, compression="zstd", index=False)
        return write_bytes(folder / f"{name}.parquet", content.getvalue())
    return write_bytes(folder / f"{name}.csv.gz", zipped(csv_bytes(table)))


def _write_trace(trace: Trace, folder: Path) -> Path:
    """Write the trace of a run's report, for Perfetto if its package is there."""
    if importlib.util.find_spec("perfetto"):
        from experiments.trace.perfetto import perfetto_bytes  # noqa: PLC0415

        return write_bytes(folder / "trace.pftrace.gz", zipped(perfetto_bytes(trace)))
    return write_bytes(folder / "trace.json.gz", zipped(chrome_json(trace)))
