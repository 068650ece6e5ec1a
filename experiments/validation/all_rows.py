"""All comparisons with published figures, and those of the deployed system."""

from experiments.run.preparation import compile_scenario
from experiments.validation.chip import chip_rows, link_rows, model_rows
from experiments.validation.lpx import lpx_rows
from experiments.validation.network import network_rows
from experiments.validation.row import FigureKind, PublishedFigure
from experiments.validation.timing import timing_rows
from experiments.validation.wiring import wiring_rows
from specs.scenario import Scenario


def validation_rows() -> list[PublishedFigure]:
    """Return all comparisons with published figures, in the order of printing."""
    return [
        *wiring_rows(),
        *link_rows(),
        *timing_rows(),
        *chip_rows(),
        *model_rows(),
        *deployment_rows(),
        *network_rows(),
        *lpx_rows(),
    ]


def deployment_rows() -> list[PublishedFigure]:
    """Return comparisons with the published token rate of the deployed system.

    Operands are fed at both widths. No constant is fitted to the rate: all come from
    figures of a single chip or link.
    """

    def rate(operand_bytes: int) -> float:
        scenario = Scenario(settings={"chip.operand_bytes": operand_bytes})
        prepared, schedule = compile_scenario(scenario)
        return prepared.machine.chip.clock_hz / schedule.latency_cycles

    return [
        PublishedFigure(
            name=f"Llama-2-70B on 576 chips, weights fed as {width} B",
            source="deployment",
            published=(240, 300),
            ours=rate(width),
            unit="tokens/s",
            tolerance=0.30,
            kind=FigureKind.PREDICTED,
        )
        for width in (1, 2)
    ]
