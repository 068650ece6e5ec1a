"""Comparisons with published figures of one link, one chip and one model."""

from chip.operator_cycles import product_cycles
from chip.operator_work import ProductWork, Shape
from experiments.run.scenario import run_scenario
from experiments.validation.matrix_product import (
    FIRST_COLUMNS,
    INNER,
    LAST_COLUMNS,
    PUBLISHED_UTILISATION,
    ROWS,
    product_run,
    utilisation,
)
from experiments.validation.row import FigureKind, PublishedFigure
from sharding.planner.memory import kv_cache_bytes
from sharding.weights.blocks import Block, BlockKind
from sharding.weights.task import Task
from specs.machine import load_machine
from specs.model import load_model
from specs.scenario import Scenario


def link_rows() -> list[PublishedFigure]:
    """Return comparisons of a link's payload share and hop with published figures."""
    machine = load_machine()
    link, chip = machine.link, machine.chip
    means = link.jitter_mean_fraction
    mean = link.latency_cycles + sum(means) / len(means) * link.jitter_cycles
    return [
        PublishedFigure(
            name="payload of a vector on the wire",
            source="isca22",
            published=0.975,
            ours=link.vector_bytes / link.wire_bytes,
            unit="fraction",
            tolerance=0.001,
            kind=FigureKind.INPUT,
        ),
        PublishedFigure(
            name="one hop, SRAM to SRAM",
            source="isca22",
            published=650,
            ours=chip.send_cycles + mean + chip.receive_cycles,
            unit="cycles",
            tolerance=0.01,
            kind=FigureKind.CALIBRATED,
        ),
    ]


def chip_rows() -> list[PublishedFigure]:
    """Return comparisons of LSTM steps and the worst product with published figures.

    The LSTM steps calibrate the weight feed.
    """
    return [*lstm_rows(), product_row()]


def lstm_rows() -> list[PublishedFigure]:
    """Return comparisons of the cycles of an LSTM step with published ones.

    On one chip; INT8, 8 n^2 weights for size n.
    """
    return [
        PublishedFigure(
            name=f"LSTM of {size} on one chip",
            source="gapi",
            published=published,
            ours=run_scenario(
                Scenario(workload=f"lstm:{size}", tokens=1)
            ).schedule.latency_cycles,
            unit="cycles",
            tolerance=0.02,
            kind=FigureKind.CALIBRATED,
        )
        for size, published in ((512, 670), (1024, 1958))
    ]


def product_row() -> PublishedFigure:
    """Return the comparison of the least product utilisation with a published one.

    The least is over the published range of product sizes.
    """
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
    return PublishedFigure(
        name="FP16 product of 2304 x 4096 x 1376..3500, least of peak",
        source="isca22",
        published=(PUBLISHED_UTILISATION, 1),
        ours=utilisation(product_run(ROWS, INNER, worst)),
        unit="fraction",
        tolerance=0.01,
        kind=FigureKind.PREDICTED,
    )


def model_rows() -> list[PublishedFigure]:
    """Return comparisons of model sizes that follow from a published configuration."""
    model = load_model("llama-2-70b")
    task = Task(model, load_machine(), tensor=8, context=1, batch=1)
    attention = Block(BlockKind.ATTENTION, 0, 0, 1, 1)
    cache = int(kv_cache_bytes(task, attention, sequences=1).sum()) * model.layers
    return [
        PublishedFigure(
            name="parameters of Llama-2-70B",
            source="facts",
            published=68.98e9,
            ours=model.parameters,
            unit="parameters",
            tolerance=0.001,
            kind=FigureKind.PREDICTED,
        ),
        PublishedFigure(
            name="KV cache of Llama-2-70B per token",
            source="facts",
            published=327_680,
            ours=cache,
            unit="bytes",
            tolerance=0,
            kind=FigureKind.PREDICTED,
        ),
    ]
