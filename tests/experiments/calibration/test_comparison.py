from io import StringIO

import pytest
from rich.console import Console

from experiments.calibration.comparison import (
    Comparison,
    compare,
    comparison_document,
)
from experiments.calibration.comparison_report import comparison_report
from experiments.calibration.measured import EACH_GAP, EACH_REQUEST, Measured

RUN = Measured(
    "run.json",
    "groqrack traffic",
    {
        ("ttft", "mean"): 2.0,
        ("ttft", "p99"): 4.0,
        ("itl", "mean"): 0.25,
        ("itl", "p50"): 0.25,
        ("failed", "mean"): 0.0,
        ("output_tokens", "mean"): 100.0,
    },
    {"tpot": EACH_REQUEST, "itl": EACH_GAP},
    {"tpot": "tpot", "itl": "itl"},
)
MEASURED = Measured(
    "g.json",
    "GuideLLM",
    {
        ("ttft", "mean"): 3.0,
        ("ttft", "p95"): 4.5,
        ("itl", "mean"): 0.5,
        ("itl", "p50"): 0.2,
        ("failed", "mean"): 1.0,
        ("output_tokens", "mean"): 110.0,
    },
    {"tpot": EACH_REQUEST, "itl": "weighted", "itl mean": EACH_GAP},
    {"tpot": "inter_token_latency_ms of each request", "itl": "itl"},
    "more options",
)


@pytest.fixture
def comparison() -> Comparison:
    return compare(RUN, MEASURED)


def test_a_difference_is_what_was_measured_less_the_run(
    comparison: Comparison,
) -> None:
    rows = {(row.metric, row.statistic): row for row in comparison.rows}
    mean = rows["ttft", "mean"]
    assert (mean.difference, mean.relative, mean.unit) == (1.0, 0.5, "ms")
    assert rows["itl", "p50"].difference == pytest.approx(-0.05)
    assert rows["ttft", "p99"].measured is None
    assert rows["ttft", "p99"].difference is None
    # Of 0 there is no share.
    assert rows["failed", "mean"].relative is None


def test_what_tools_define_in_different_ways_is_told(comparison: Comparison) -> None:
    rows = {(row.metric, row.statistic): row for row in comparison.rows}
    assert rows["itl", "mean"].same_definition
    assert not rows["itl", "p50"].same_definition
    assert (
        f"between two tokens, p50: groqrack traffic has {EACH_GAP}; GuideLLM weighted"
        in comparison.remarks
    )
    assert any("calls it tpot, GuideLLM inter_token" in r for r in comparison.remarks)


def test_what_one_side_lacks_and_another_load_are_told(
    comparison: Comparison,
) -> None:
    assert "run.json lacks p95 of time to first token" in comparison.remarks
    assert (
        "g.json lacks p99 of time to first token; more options may add some"
        in comparison.remarks
    )
    assert any(
        "tokens of an answer are 100.0 in run.json and 110.0 in g.json" in remark
        for remark in comparison.remarks
    )


def test_a_file_beside_itself_differs_in_nothing() -> None:
    same = compare(RUN, RUN)
    assert same.remarks == ()
    assert {row.difference for row in same.rows} == {0.0}
    document = comparison_document(same)
    assert document["run"] == document["measured"]


def test_the_report_has_signed_differences_in_80_columns(
    comparison: Comparison,
) -> None:
    text = StringIO()
    Console(file=text, width=80).print(comparison_report(comparison))
    lines = text.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    shown = next(line for line in lines if line.startswith("time to first token"))
    assert shown.split()[-4:] == ["2.000", "3.000", "+1.000", "+50.0%"]
    assert "*: the tools define it in different ways" in lines
