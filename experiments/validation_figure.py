"""How close does the model come to what was published, and to what sources support?

All rows of ``groqrack validate``: ours as a ratio to the published figure, beside the
range that the source supports. A range is measured from its nearer end.
"""

import pandas as pd
from matplotlib.figure import Figure

from experiments.plots.published_figures import RatioRow, published_figures_figure
from experiments.script.experiment_script import run_script
from experiments.tables.columns import TableRow
from experiments.validation.all_rows import quick_rows, validation_rows
from experiments.validation.comparison import Comparison
from experiments.validation.report import number_text, published_text

COLUMNS = {
    "kind": "kind",
    "figures": "figures",
    "agree": "agree",
    "known": "known disagreements",
    "new": "new",
}


def experiment(
    seed: int, quick: bool
) -> tuple[pd.DataFrame, Figure, dict[str, pd.DataFrame]]:
    """Run the experiment: figures of each kind that agree, the figure, and all rows."""
    rows = quick_rows(seed) if quick else validation_rows(seed)
    table = pd.DataFrame([_table_row(row) for row in rows])
    figure = published_figures_figure([ratio_row(row) for row in rows])
    return _totals(table), figure, {"rows": table}


def ratio_row(row: Comparison) -> RatioRow:
    """Return a comparison as the experiment's figure shows it."""
    figure = row.figure
    low, high = figure.ends
    nearer = row.nearer_end
    said = figure.unit == "fraction" or figure.unit in figure.label
    unit = "" if said else f" {figure.unit}"
    return RatioRow(
        group=figure.group,
        label=figure.label,
        kind=str(figure.kind),
        ok=row.ok,
        ratio=row.ours / nearer,
        bar_low=low * (1 - figure.tolerance) / nearer,
        bar_high=high * (1 + figure.tolerance) / nearer,
        shown=f"{number_text(row.ours)} / {published_text(figure)}{unit}",
    )


def _table_row(row: Comparison) -> TableRow:
    """Return the experiment's row of a comparison."""
    low, high = row.figure.ends
    ratios = ratio_row(row)
    return {
        **row.to_dict(),
        "published": published_text(row.figure),
        "published_low": low,
        "published_high": high,
        "ratio": ratios.ratio,
        "bar_low": ratios.bar_low,
        "bar_high": ratios.bar_high,
    }


def _totals(figures: pd.DataFrame) -> pd.DataFrame:
    """Return the experiment's table: a row for each kind of figure."""
    by_kind = figures.groupby("kind", sort=False)
    return by_kind.agg(
        figures=("ok", "size"),
        agree=("ok", "sum"),
        known=("outcome", lambda column: int((column == "known disagreement").sum())),
        new=("outcome", lambda column: int((column == "disagrees").sum())),
    ).reset_index()


if __name__ == "__main__":
    run_script("validation_figure", __doc__ or "", experiment, COLUMNS)
