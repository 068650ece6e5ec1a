"""Matrix products in FP16, on one chip and over several, beside published figures."""

from chip.operator_cycles import product_cycles
from chip.operator_work import ProductWork, Shape
from experiments.report.run_summary import summary
from experiments.run.scenario import Run, run_scenario
from experiments.validation.comparison import Comparison, compared
from experiments.validation.published_figures import figures_of
from specs.machine import load_machine
from specs.scenario import Scenario
from specs.units import US_PER_S

_ONE_CHIP, _OVER_CHIPS = "FP16 product on one chip", "FP16 product over chips"
# isca22, figure 13: [2304 x 4096] x [4096 x N] reaches 80 % of peak at every N.
ROWS, INNER = 2304, 4096
FIRST_COLUMNS, LAST_COLUMNS = 1376, 3500
PUBLISHED_UTILISATION = figures_of(_ONE_CHIP)[0].ends[0]
# isca22, figure 14: one product on 8 chips and more, in eight column parts.
_LARGE_PRODUCT, _COLUMN_PARTS = "800x32576x8192", 8


def product_rows() -> list[Comparison]:
    """Return comparisons of products on one chip and over several with published ones.

    On one chip it is the least share of peak over the published range of sizes.
    """
    latencies = {
        figure.label: _latency_us(figure.at["row_parts"])
        for figure in figures_of(_OVER_CHIPS)
    }
    return [
        *compared(_ONE_CHIP, {"least share of peak": _least_utilisation()}),
        *compared(_OVER_CHIPS, latencies),
    ]


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


def _least_utilisation() -> float:
    """Return the least share of peak over the published sizes, to validate it."""
    chip = load_machine().chip

    def columns_per_cycle(columns: int) -> float:
        work = ProductWork(
            shape=Shape((INNER,), (columns,)),
            rows=ROWS,
            stored_bytes=2 * INNER * columns,
            operand_bytes=2,
            input_bytes=0,
            output_bytes=0,
        )
        return columns / product_cycles(chip, work)

    worst = min(range(FIRST_COLUMNS, LAST_COLUMNS + 1), key=columns_per_cycle)
    return utilisation(product_run(ROWS, INNER, worst))


def _latency_us(row_parts: int) -> float:
    """Return the latency in us of the large product in so many row parts."""
    run = run_scenario(
        Scenario(
            workload=f"gemm:{_LARGE_PRODUCT}:fp16",
            chips=_COLUMN_PARTS * row_parts,
            strategy=f"column={_COLUMN_PARTS},row={row_parts}",
            tokens=1,
            engine="replay",
        )
    )
    hz = run.prepared.machine.chip.clock_hz
    return run.schedule.latency_cycles * US_PER_S / hz
