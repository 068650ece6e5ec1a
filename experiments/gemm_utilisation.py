"""How much of its peak does one chip reach in a matrix product?

FP16 products ``[2304 x 4096] x [4096 x N]`` on one chip, N from 1,376 to 3,500, against
the 80 % that isca22 (figure 13) reports throughout. The loss is the part of the last
tiles of 320 x 320 weights that N leaves empty. With exchanged operands N is the number
of rows, and utilisation does not depend on it.
"""

import matplotlib.style
import pandas as pd
from matplotlib.figure import Figure

from experiments.plots.run_figure import STYLE
from experiments.script.experiment_script import run_script
from experiments.tables.columns import TableRow
from experiments.validation.matrix_product import (
    FIRST_COLUMNS,
    INNER,
    LAST_COLUMNS,
    PUBLISHED_UTILISATION,
    ROWS,
    product_run,
    utilisation,
)
from specs.machine import load_machine
from specs.units import ceil_div

STEP, QUICK_STEP = 4, 118
COLUMNS = {
    "tiles": "tiles across",
    "first_columns": "N from",
    "last_columns": "to",
    "points": "points",
    "least": "least of peak",
    "most": "most",
    "least_exchanged": "exchanged, least",
}


def experiment(
    seed: int, quick: bool
) -> tuple[pd.DataFrame, Figure, dict[str, pd.DataFrame]]:
    """Run the experiment: range of utilisation by tiles, the figure, and all points."""
    step = QUICK_STEP if quick else STEP
    curve = pd.DataFrame(
        [_point(n, seed) for n in range(FIRST_COLUMNS, LAST_COLUMNS + 1, step)]
    )
    table = (
        curve.groupby("tiles")
        .agg(
            first_columns=("columns", "min"),
            last_columns=("columns", "max"),
            points=("columns", "size"),
            least=("utilisation", "min"),
            most=("utilisation", "max"),
            least_exchanged=("exchanged_utilisation", "min"),
            violations=("violations", "sum"),
        )
        .reset_index()
    )
    return table, _figure(curve), {"curve": curve}


def _point(columns: int, seed: int) -> TableRow:
    """Return the experiment's row of one point."""
    run = product_run(ROWS, INNER, columns, seed)
    exchanged = product_run(columns, INNER, ROWS, seed)
    cycles, hz = run.schedule.latency_cycles, run.prepared.machine.chip.clock_hz
    side = load_machine().chip.lanes
    return {
        "rows": ROWS,
        "inner": INNER,
        "columns": columns,
        "tiles": ceil_div(columns, side),
        "latency_cycles": cycles,
        "latency_us": cycles / hz * 1e6,
        "tflops": 2 * ROWS * INNER * columns * hz / cycles / 1e12,
        "utilisation": utilisation(run),
        "exchanged_utilisation": utilisation(exchanged),
        "violations": run.violations + exchanged.violations,
    }


def _figure(curve: pd.DataFrame) -> Figure:
    """Return the experiment's figure of its table."""
    with matplotlib.style.context(STYLE):
        figure = Figure(figsize=(9, 4.6), layout="constrained")
        axes = figure.subplots()
        for column, label, width in (
            ("utilisation", "second operand installed", 1.8),
            ("exchanged_utilisation", "first operand installed", 1.0),
        ):
            share = 100 * curve[column]
            axes.plot(curve["columns"], share, label=label, linewidth=width)
        axes.axhline(
            100 * PUBLISHED_UTILISATION,
            color="black",
            linestyle="--",
            linewidth=1,
            label="published: 80 % or better",
        )
        axes.set(
            ylim=(0, 100),
            xlim=(curve["columns"].min(), curve["columns"].max()),
            xlabel="columns N",
            ylabel="multiplications, % of peak",
        )
        axes.set_title(
            f"FP16 [{ROWS} x {INNER}] x [{INNER} x N] on one chip", loc="left"
        )
        axes.legend(frameon=False, loc="lower right")
    return figure


if __name__ == "__main__":
    run_script("gemm_utilisation", __doc__ or "", experiment, COLUMNS, digits=3)
