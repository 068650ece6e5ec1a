"""Report of a comparison: a table that a person reads in 80 columns."""

from itertools import groupby

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from experiments.calibration.comparison import Compared, Comparison
from experiments.calibration.measured import LATENCIES, METRICS

_DIGITS = {"ms": 3, "1/s": 2, "tokens": 1, "requests": 0}


def comparison_report(comparison: Comparison) -> RenderableType:
    """Return the report of a comparison: what each says, and what keeps them apart."""
    files = Table(show_header=False, box=None, pad_edge=False)
    for side in ("run", "measured"):
        file = getattr(comparison, side)
        files.add_row(side, f"{file.file} ({file.tool})")
    table = Table(box=None, pad_edge=False)
    table.add_column("")
    for heading in ("", "run", "measured", "difference", "%"):
        table.add_column(heading, justify="right")
    for metric, rows in groupby(comparison.rows, key=lambda row: row.metric):
        unit = METRICS[metric].unit
        name = METRICS[metric].text + (f", {unit}" if unit in {"ms", "1/s"} else "")
        for at, row in enumerate(rows):
            table.add_row("" if at else name, *_cells(row))
    parts: list[RenderableType] = [files, Text(), table]
    if any(
        not row.same_definition and row.difference is not None
        for row in comparison.rows
    ):
        parts.append(Text("*: the tools define it in different ways"))
    if comparison.remarks:
        parts.append(Text())
    remarks = Table(show_header=False, box=None, pad_edge=False)
    for remark in comparison.remarks:
        remarks.add_row("-", remark)
    parts.append(remarks)
    return Group(*parts)


def _cells(row: Compared) -> list[str]:
    """Return the numbers of a row."""
    digits = _DIGITS[row.unit]
    mark = "" if row.same_definition or row.difference is None else " *"
    single = row.metric not in LATENCIES
    return [
        "" if single else row.statistic,
        *(
            "-" if each is None else f"{each:,.{digits}f}"
            for each in (row.run, row.measured)
        ),
        "-" if row.difference is None else f"{row.difference:+,.{digits}f}",
        ("-" if row.relative is None else f"{row.relative:+.1%}") + mark,
    ]
