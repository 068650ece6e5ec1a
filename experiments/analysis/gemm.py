"""Utilisation of one chip by FP16 matrix products, beside the published figure."""

from experiments.report.run_summary import summary
from experiments.run.scenario import Run, run_scenario
from specs.scenario import Scenario

ROWS, INNER = 2304, 4096
FIRST, LAST = 1376, 3500
PUBLISHED = 0.8


def product_run(rows: int, inner: int, columns: int, seed: int = 1) -> Run:
    """Return the run of one FP16 product on one chip."""
    return run_scenario(
        Scenario(
            workload=f"gemm:{rows}x{inner}x{columns}:fp16",
            tokens=1,
            engine="replay",
            seed=seed,
        )
    )


def utilisation(run: Run) -> float:
    """Return the share of the chips' peak at which a workload ran."""
    return float(summary(run)["workload"]["mxm_utilisation"])
