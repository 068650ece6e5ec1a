import io
import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from experiments.cli.service.traffic import traffic_command
from experiments.report.traffic_keys import REQUEST_COLUMNS, TRAFFIC
from experiments.service.fleet_of import PreparedFleet, fleet_of, prepare_fleet
from experiments.service.traffic_files import write_traffic
from experiments.service.traffic_report import traffic_report
from experiments.service.traffic_run import (
    TrafficRun,
    prompt_rate,
    run_traffic,
    traffic_document,
)
from serving.traffic_file import TrafficFile, traffic_file
from specs.bounds import MOST_REQUESTS, MOST_REQUESTS_OF_EVENTS
from specs.errors import PlanError, SpecError

CONTENT: dict[str, Any] = {
    "model": "gpt2",
    "chips": 8,
    "strategy": "tensor=2,pipeline=4",
    "settings": {"model.layers": 4},
    "context": 64,
    "context_bucket": 32,
    "frame": {"slots": 4, "windows": 2, "chunk_tokens": 8},
    "traffic": {
        "arrivals": "gamma",
        "rate_per_s": 1000,
        "burstiness": 0.5,
        "requests": 60,
        "prompt": {"kind": "lognormal", "median": 15, "sigma": 0.5, "max": 30},
        "output": {"kind": "lognormal", "median": 10, "sigma": 0.5, "max": 30},
    },
    "slo": {"ttft_ms": 1},
}


def file_of(**changes: Any) -> TrafficFile:
    return traffic_file({**CONTENT, **changes}, "test")


@cache
def compiled() -> PreparedFleet:
    return prepare_fleet(file_of())


def run(engine: str = "timetable", **changes: Any) -> TrafficRun:
    file, made = file_of(**changes), compiled()
    assert file.frame is not None
    fleet = fleet_of(file, file.frame, made.prepared.plan, made.fleet.times)
    return run_traffic(file, engine=engine, prepared=made._replace(fleet=fleet))


CACHED = {**CONTENT["traffic"], "prefix_groups": 3, "prefix_tokens": 16}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"frame": {**CONTENT["frame"], "in_flight": True}},
        {"frame": {**CONTENT["frame"], "pace": "chunk"}},
        {"frame": {"slots": 4, "chunk_tokens": 8, "policy": "slots"}},
        {"frame": {"slots": 4, "chunk_tokens": 8, "policy": "alternate"}},
        {
            "frame": {"slots": 4, "chunk_tokens": 8, "policy": "apart"},
            "transfer": {"gb_per_s": 10, "latency_us": 1},
        },
        {"replicas": 2, "router": "least_queue", "limits": {"rpm": 40}},
        {
            "traffic": CACHED,
            "cache": {"block_tokens": 8, "sram_tokens": 16, "host_tokens": 64},
            "outages": [{"at_s": 0.01, "duration_ms": 5}],
        },
    ],
)
def test_both_engines_write_the_same_rows(changes: dict[str, Any]) -> None:
    fast, reference = run(**changes), run("simpy", **changes)
    pd.testing.assert_frame_equal(fast.records, reference.records)
    assert fast.summary == reference.summary


def test_without_load_p99_is_p50_to_a_cycle() -> None:
    slow = {"rate_per_s": 10, "requests": 40, "arrivals": "poisson"}
    made = run(traffic={**slow, "prompt": {"tokens": 16}, "output": {"tokens": 5}})
    # The host's clock and that of the chips: times are rounded to cycles of 1,112 ps.
    for name in ("ttft_ps", "e2el_ps"):
        assert np.ptp(made.records[name]) <= 1112
    assert made.summary["cv_tpot"] < 0.1


def test_a_report_and_its_files_say_the_same(tmp_path: Path) -> None:
    made = run()
    document = traffic_document(made)
    assert json.loads(json.dumps(document)) == document
    told = io.StringIO()
    Console(file=told, width=80).print(traffic_report(made, document))
    text = told.getvalue()
    assert max(map(len, text.splitlines())) <= 80
    assert f"{document['p99_ttft_ms']:,.3f}" in text
    assert document["saturation"] in text
    written = write_traffic(made, document, tmp_path)
    assert [each.name for each in written] == [
        *("requests.csv", "summary.json", "traffic.png")
    ]
    rows = pd.read_csv(tmp_path / "requests.csv")
    assert len(rows) == 60
    assert (rows["ttft_ps"] >= 0).all()
    rate = prompt_rate(made)
    assert document["frame"]["prompt_tokens_per_s"] == rate
    assert rate is not None
    frame = document["frame"]
    assert frame["tokens_per_s"] < frame["tokens_per_s_without_prompts"]
    # A slot gives a token a frame, a window a chunk.
    assert rate / frame["tokens_per_s"] == pytest.approx(2 * 8 / 4)


def test_every_key_and_column_of_traffic_is_documented() -> None:
    made = run()
    document = traffic_document(made)
    keys: set[str] = set()
    for name, value in document.items():
        if isinstance(value, dict) and name not in {"inputs", "outcomes"}:
            keys |= {f"{name}.{inner}" for inner in value}
        else:
            keys.add("outcomes.*" if name == "outcomes" else name)
    assert keys == set(TRAFFIC)
    assert list(made.records) == list(REQUEST_COLUMNS)


def test_a_trace_is_read_before_anything_is_compiled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr("experiments.service.traffic_run.prepare_fleet")
    trace = {"arrivals": "trace", "trace": "none.csv"}
    with pytest.raises(SpecError, match=r"no trace none\.csv"):
        run_traffic(file_of(traffic=trace))


def test_requests_that_are_all_refused_have_no_latencies() -> None:
    long = {"requests": 3, "prompt": {"tokens": 100}, "output": {"tokens": 2}}
    document = traffic_document(run(traffic=long))
    assert (document["completed"], document["failed"]) == (0, 3)
    assert document["outcomes"] == {"too_long": 3}
    assert document["p99_ttft_ms"] is None
    told = io.StringIO()
    Console(file=told, width=80).print(traffic_report(run(traffic=long), document))
    assert "0 completed, 3 failed" in told.getvalue()


def test_cached_positions_must_fit_beside_the_slots() -> None:
    with pytest.raises(PlanError, match="use sram_tokens <="):
        run(cache={"sram_tokens": 10**9})
    with pytest.raises(SpecError, match=r"no \[frame\]"):
        prepare_fleet(file_of(frame=None))


def test_the_command_takes_the_flags_of_vllm(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "traffic.toml"
    path.write_text(
        'model = "gpt2"\nchips = 2\nstrategy = "tensor=2"\ncontext = 32\n'
        "[frame]\nslots = 1\nchunk_tokens = 8\n[settings]\n'model.layers' = 1\n"
        "[traffic]\nprompt = { tokens = 8 }\noutput = { tokens = 3 }\n"
    )
    traffic_command(
        [str(path), "tpot:5"],
        request_rate="100",
        burstiness=0.5,
        num_prompts=7,
        goodput=["ttft:200"],
        seed=3,
        out=tmp_path / "out",
        as_json=True,
    )
    document = json.loads(capsys.readouterr().out)
    asked = document["inputs"]["traffic"]
    assert (asked["arrivals"], asked["burstiness"], asked["rate_per_s"]) == (
        *("gamma", 0.5, 100.0),
    )
    assert document["inputs"]["slo"] == {"ttft_ms": 200, "tpot_ms": 5, "e2el_ms": 0}
    assert document["completed"] == 7
    assert (tmp_path / "out" / "requests.csv").exists()
    traffic_command([str(path)], request_rate="inf", max_concurrency=2, num_prompts=5)
    assert "5 completed" in capsys.readouterr().out
    with pytest.raises(SpecError, match="is no number"):
        traffic_command([str(path)], request_rate="many")
    with pytest.raises(SpecError, match="did you mean 'simpy'"):
        traffic_command([str(path)], engine="simp")


def test_more_requests_than_memory_or_patience_holds_are_refused() -> None:
    many = {**CONTENT["traffic"], "requests": MOST_REQUESTS_OF_EVENTS + 1}
    with pytest.raises(SpecError, match=r"50,001: .* engine timetable"):
        run("simpy", traffic=many)
    with pytest.raises(SpecError, match="less than or equal to 5000000"):
        file_of(traffic=many | {"requests": MOST_REQUESTS + 1})


def test_the_same_seed_gives_the_same_rows() -> None:
    pd.testing.assert_frame_equal(run().records, run().records)
    assert not run(seed=2).records.equals(run().records)
    assert replace(run(), engine="x").engine == "x"
