import json
from pathlib import Path
from typing import Any

import pytest

from experiments.cli.compare import compare_command
from experiments.report.traffic_keys import COMPARE
from specs.errors import SpecError

RUN: dict[str, Any] = {
    "schema": "groqrack-fabric/traffic/1",
    "completed": 10,
    "mean_tpot_ms": 2.0,
}
AIPERF = {"inter_token_latency": {"unit": "us", "avg": 2500.0}}


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    paths = tmp_path / "summary.json", tmp_path / "profile_export_aiperf.json"
    for path, content in zip(paths, (RUN, AIPERF), strict=True):
        path.write_text(json.dumps(content), encoding="utf-8")
    return paths


def test_a_run_is_compared_with_what_was_measured(
    files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    compare_command(*files)
    shown = capsys.readouterr().out
    assert (
        "time per output token, ms  mean  2.000     2.500      +0.500  +25.0%" in shown
    )
    assert "AIPerf inter_token_latency" in " ".join(shown.split())


def test_every_key_of_a_comparison_is_documented(
    files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    compare_command(*files, as_json=True)
    document = json.loads(capsys.readouterr().out)
    assert [
        row["difference"] for row in document["metrics"] if row["metric"] == "tpot"
    ] == [0.5]
    sides = [
        f"{side}.{key}" + (".*" if isinstance(value, dict) else "")
        for side in ("run", "measured")
        for key, value in document[side].items()
    ]
    rows = [f"metrics[].{key}" for key in document["metrics"][0]]
    assert {"schema", "remarks", *sides, *rows} == COMPARE.keys()


def test_a_benchmark_is_chosen_of_a_file_that_has_some(
    files: tuple[Path, Path],
) -> None:
    with pytest.raises(SpecError, match="--benchmark 2 chooses from a file of Guide"):
        compare_command(*files, benchmark=2)
