import io
from typing import Any

import pytest
from rich.console import Console

from experiments.service.traffic_sweep import traffic_rows, traffic_table
from specs.errors import SpecError
from tests.experiments.service.test_traffic_run import CONTENT

PAIRED: dict[str, Any] = {**CONTENT, "pairing": "groqrack-h100"}


def test_a_pairing_is_swept_as_other_keys_are() -> None:
    axes: dict[str, list[Any]] = {
        "pairing.kind": ["none", "prefill", "draft"],
        "traffic.rate_per_s": [500],
    }
    rows = list(traffic_rows(PAIRED, axes, "mine.toml"))
    assert [row["feasible"] for row in rows] == [True, True, False]
    assert [row.get("pairing.devices") for row in rows] == [0, 8, None]
    assert rows[1]["p50_ttft_ms"] < rows[0]["p50_ttft_ms"]
    told = io.StringIO()
    Console(file=told, width=100).print(traffic_table(rows, list(axes)))
    assert f"{rows[1]['p99_e2el_ms']:,.3f}" in told.getvalue()
    assert "refused, 1 of 3" in told.getvalue()


def test_a_sweep_that_is_refused_as_a_whole_is_a_fault() -> None:
    with pytest.raises(SpecError, match=r"\[pairing\] has no key 'kin'"):
        list(traffic_rows(PAIRED, {"pairing.kin": ["none", "prefill"]}, "mine.toml"))
