import io
import json
import tomllib
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from experiments.cli.app import plan_command
from experiments.cli.scenario_options import ScenarioOptions
from experiments.cli.service.frame_plan import show_frame_plan
from experiments.service.fleet_of import prepare_replica
from experiments.service.frame_plan import (
    FramePlan,
    best_frame,
    frame_plan_document,
    frame_plan_report,
    frame_table,
    limit,
    most_slots,
)
from experiments.service.traffic_run import run_traffic
from serving.traffic_file import FrameSpec, TrafficFile, traffic_file
from sharding.planner.plan import fitting_plan
from specs.errors import SpecError

# SRAM is so small that few caches fit.
FILE = """
model = "gpt2"
chips = 2
strategy = "tensor=1,pipeline=2"
context = 1000
[settings]
"model.layers" = 2
"chip.sram_bytes" = 60_000_000
[traffic]
rate_per_s = 2000
requests = 200
prompt = { tokens = 20 }
output = { tokens = 20 }
[slo]
ttft_ms = 5
"""


def file_of() -> TrafficFile:
    return traffic_file(tomllib.loads(FILE), "test")


@cache
def plan() -> FramePlan:
    return best_frame(file_of(), chunks=(8, 32), windows=(1, 4))


def test_the_best_frame_serves_no_fewer_requests_than_any_other() -> None:
    tried = plan().tried
    assert len(tried) >= 8
    assert tried[0].request_goodput == max(each.request_goodput for each in tried)
    assert len({each.request_goodput for each in tried}) > 1
    made = plan().file.frame
    assert made is not None
    assert (made.slots, made.windows) == (tried[0].slots, tried[0].windows)


def test_a_run_of_the_best_frame_is_what_the_search_saw() -> None:
    run = run_traffic(plan().file, prepared=plan().prepared)
    assert run.summary["request_goodput"] == plan().tried[0].request_goodput


def test_one_slot_more_than_the_most_does_not_fit() -> None:
    file = file_of()
    most = most_slots(file)
    plan = prepare_replica(file, FrameSpec(slots=most)).plan
    chips = np.concatenate([stage.chips for stage in plan.stages])
    more = fitting_plan(plan.task, plan.strategy, chips, sequences=most + 1)
    assert most > 1
    assert more is None


def test_a_frame_plan_says_what_limits_each_frame() -> None:
    document = frame_plan_document(plan())
    assert json.loads(json.dumps(document)) == document
    told = io.StringIO()
    Console(file=told, width=100).print(frame_plan_report(plan()))
    assert f"{plan().tried[0].request_goodput:,.2f} requests/s" in told.getvalue()
    best = plan().tried[0]
    file = plan().file
    assert limit(file, best._replace(slo_attainment=1)) == "nothing"
    slow = file.model_copy(
        update={"slo": file.slo.model_copy(update={"tpot_ms": 1e-9})}
    )
    assert limit(slow, best._replace(slo_attainment=0)) == "frame"
    waits = best._replace(slo_attainment=0.5, p99_queue_ms=9, p99_ttft_ms=10)
    assert limit(file, waits) == "queue"
    assert limit(file, waits._replace(p99_queue_ms=1)) == "pass"
    assert len(frame_table(plan())) == len(plan().tried)


def test_the_plan_command_searches_for_goodput(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "traffic.toml"
    path.write_text(FILE)
    seen: list[TrafficFile] = []

    def found(file: TrafficFile) -> FramePlan:
        seen.append(file)
        return plan()

    monkeypatch.setattr("experiments.service.frame_plan.best_frame", found)
    plan_command(
        objective="goodput",
        traffic=path,
        slo="ttft=200ms,tpot=5ms",
        settings=["link.ber=0"],
        out=tmp_path / "frames.csv",
        **dict.fromkeys(
            ("scenario_file", "model", "machine", "chips", "topology", "strategy")
        ),
        **dict.fromkeys(("placement", "context", "batch", "sequences")),
    )
    assert "frames that were tried" in capsys.readouterr().out
    assert (seen[0].slo.ttft_ms, seen[0].slo.tpot_ms) == (200, 5)
    assert len(pd.read_csv(tmp_path / "frames.csv")) == len(plan().tried)


def test_options_that_a_frame_has_not_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "traffic.toml"
    path.write_text(FILE)
    with pytest.raises(SpecError, match="name them with --traffic FILE"):
        show_frame_plan(ScenarioOptions(), None, None, None, as_json=False)
    with pytest.raises(SpecError, match="are of --objective goodput"):
        show_frame_plan(
            ScenarioOptions(objective="latency"), path, None, None, as_json=False
        )
    with pytest.raises(SpecError, match="a frame has no --batch"):
        show_frame_plan(ScenarioOptions(batch=2), path, None, None, as_json=False)
