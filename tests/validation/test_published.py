"""Published figures beside ours, each row a test of its own."""

import io
import re
from pathlib import Path

import pytest
from rich.console import Console

from experiments.validation.all_rows import validation_rows
from experiments.validation.row import FigureKind, PublishedFigure, validation_report

ROWS = {
    "cables of a node": "input",
    "outward ports of a node": "input",
    "chips of the 33-node system": "input",
    "diameter of the 33-node system": "predicted",
    "chips of a rack": "input",
    "ports inside a rack": "input",
    "ports out of a rack": "input",
    "chips of 145 racks": "input",
    "cables of 145 racks": "input",
    "racks of the largest system": "input",
    "most cables of a pair of 145 racks": "input",
    **{
        f"diameter of 145 racks, {order}, {rule}": "predicted"
        for order in ("costas", "annealed", "palmtree")
        for rule in ("gateway rule", "every hop")
    },
    "payload of a vector on the wire": "input",
    "one hop, SRAM to SRAM": "calibrated",
    "latency of link A, mean": "calibrated",
    "latency of link A, deviation": "calibrated",
    "latency of link B, mean": "calibrated",
    "latency of link B, deviation": "calibrated",
    "latency of link C, mean": "calibrated",
    "latency of link C, deviation": "calibrated",
    "latency of link D, mean": "calibrated",
    "latency of link D, deviation": "calibrated",
    "latency of link E, mean": "calibrated",
    "latency of link E, deviation": "calibrated",
    "latency of link F, mean": "calibrated",
    "latency of link F, deviation": "calibrated",
    "latency of link G, mean": "calibrated",
    "latency of link G, deviation": "calibrated",
    "latency of all links, least": "predicted",
    "latency of all links, most": "predicted",
    "start alignment, each level of the tree": "predicted",
    "chips of a rack kept as spares": "input",
    "chips of the 33-node system kept as spares": "input",
    "LSTM of 512 on one chip": "calibrated",
    "LSTM of 1024 on one chip": "calibrated",
    "FP16 product of 2304 x 4096 x 1376..3500, least of peak": "predicted",
    "parameters of Llama-2-70B": "predicted",
    "KV cache of Llama-2-70B per token": "predicted",
    "Llama-2-70B on 576 chips, weights fed as 1 B": "predicted",
    "Llama-2-70B on 576 chips, weights fed as 2 B": "predicted",
    "all-reduce of one vector over 256 chips, network": "predicted",
    "worst pair of 10,440 chips, 6 hops, a forward 500 cycles": "predicted",
    "traffic of a chip to the other of two nodes": "predicted",
    "uniform traffic of a chip of 64": "predicted",
    "uniform traffic of a chip of 264": "predicted",
    "uniform traffic of a chip of 576, busiest link": "predicted",
    "tensor from which spreading pays in a node": "predicted",
    "ASTRA-sim, all-reduce of 8 KiB on eight chips": "predicted",
    "BookSim2, mean latency at no load in a node": "predicted",
    "chips of an LPX rack": "input",
    "SRAM of an LPX rack": "input",
    "FP8 of an LPX rack, clock assumed": "calibrated",
    "SRAM bandwidth of an LPX rack, clock assumed": "calibrated",
    "one hop of LP30, SRAM to SRAM": "calibrated",
    "worst pair of an LPX rack, 2 hops": "predicted",
}


@pytest.fixture(scope="module")
def rows() -> dict[str, PublishedFigure]:
    return {row.name: row for row in validation_rows()}


@pytest.mark.parametrize(
    ("name", "kind"), ROWS.items(), ids=[f"{ROWS[name]}: {name}" for name in ROWS]
)
def test_a_published_figure_is_met(
    rows: dict[str, PublishedFigure], name: str, kind: str
) -> None:
    row = rows[name]
    assert row.ok, f"{row.name}: {row.ours} {row.unit}, published {row.published}"
    assert row.kind == kind


def test_every_row_is_tested(rows: dict[str, PublishedFigure]) -> None:
    assert sorted(rows) == sorted(ROWS)


def test_the_page_on_trust_shows_the_report(rows: dict[str, PublishedFigure]) -> None:
    page = (Path(__file__).parents[2] / "docs" / "trust.md").read_text("utf-8")
    (shown,) = re.findall(r"^```text\n(figure .*?)^```", page, re.DOTALL | re.MULTILINE)
    printed = io.StringIO()
    Console(width=80, file=printed).print(validation_report([*rows.values()]))
    lines = [line.rstrip() for line in printed.getvalue().splitlines()]
    missing = [line for line in shown.splitlines() if line not in [*lines, "..."]]
    assert missing == []


def row(ours: float, *, tolerance: float = 0.3) -> PublishedFigure:
    return PublishedFigure(
        name="rate",
        source="deployment",
        published=(200, 300),
        ours=ours,
        unit="tokens/s",
        tolerance=tolerance,
        kind=FigureKind.PREDICTED,
    )


def test_an_error_is_measured_from_the_nearer_end_of_a_range() -> None:
    errors = [row(ours).error for ours in (100, 200, 250, 300, 360)]
    assert errors == pytest.approx([-0.5, 0, 0, 0, 0.2])


def test_a_figure_is_met_within_its_tolerance_only() -> None:
    assert [row(ours).ok for ours in (139, 141, 250, 389, 391)] == [
        *(False, True, True, True, False)
    ]
    assert [row(ours, tolerance=0).ok for ours in (199, 200, 301)] == [
        *(False, True, False)
    ]


def test_exact_figures_are_only_asked_of_what_is_counted(
    rows: dict[str, PublishedFigure],
) -> None:
    exact = {row.unit for row in rows.values() if row.tolerance == 0}
    assert exact == {"cables", "ports", "chips", "racks", "hops", "bytes", "epochs"}
