"""Matrix products on one chip in FP16: their runs, and the share of peak they reach."""

from experiments.report.run_summary import summary
from experiments.run.scenario import Run, run_scenario
from specs.scenario import Scenario

# isca22, figure 13: [2304 x 4096] x [4096 x N] reaches 80 % of peak at every N.
ROWS, INNER = 2304, 4096
FIRST_COLUMNS, LAST_COLUMNS = 1376, 3500
PUBLISHED_UTILISATION = 0.8


def product_run(rows: int, inner: int, columns: int, seed: int = 1) -> Run:
    """Return the run of a product, to validate its utilisation.

    It multiplies ``[rows x inner]`` by ``[inner x columns]``.
    """
    return run_scenario(
        Scenario(
            workload=f"gemm:{rows}x{inner}x{columns}:fp16",
            tokens=1,
            engine="replay",
            seed=seed,
        )
    )


def utilisation(run: Run) -> float:
    """Return the MXM utilisation of a product's run, to validate: a share of peak."""
    return float(summary(run)["workload"]["mxm_utilisation"])
