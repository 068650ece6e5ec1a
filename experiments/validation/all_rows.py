"""All comparisons with published figures, and that of the deployed system."""

from collections.abc import Sequence

from experiments.run.preparation import compile_scenario
from experiments.validation.chip import link_rows, lstm_rows, model_rows
from experiments.validation.comparison import Comparison, compared
from experiments.validation.lpx import lpx_rows
from experiments.validation.matrix_product import product_rows
from experiments.validation.network import bandwidth_rows, latency_rows, simulator_rows
from experiments.validation.published_figures import published_figures
from experiments.validation.timing import timing_rows
from experiments.validation.wiring import wiring_rows
from specs.scenario import Scenario


def validation_rows(seed: int = 1) -> list[Comparison]:
    """Return all comparisons with published figures, in the order of the data file."""
    return in_order(
        [
            *quick_rows(seed),
            *product_rows(),
            *deployment_rows(),
            *latency_rows(seed),
            *bandwidth_rows(seed),
            *simulator_rows(),
        ]
    )


def quick_rows(seed: int = 1) -> list[Comparison]:
    """Return the comparisons that take no more than a second together, in order."""
    return in_order(
        [
            *wiring_rows(),
            *timing_rows(seed),
            *link_rows(),
            *lstm_rows(),
            *model_rows(),
            *lpx_rows(),
        ]
    )


def in_order(rows: Sequence[Comparison]) -> list[Comparison]:
    """Return comparisons in the order of their published figures in the data file."""
    place = {figure.name: n for n, figure in enumerate(published_figures())}
    return sorted(rows, key=lambda row: place[row.figure.name])


def deployment_rows() -> list[Comparison]:
    """Return the comparison with the published token rate of the deployed system.

    The default split with the default formats. No constant is fitted to the rate: all
    come from figures of a single chip or link.
    """
    prepared, schedule = compile_scenario(Scenario())
    rate = prepared.machine.chip.clock_hz / schedule.latency_cycles
    return compared("Llama-2-70B on 576 chips", {"one user": rate})
