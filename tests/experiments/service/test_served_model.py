from pathlib import Path

import numpy as np
import pytest

from experiments.service.fleet_of import check_by_position
from experiments.service.served_model import FrameOptions, served_timetable
from serving.frame import Pace
from sharding.parallelism.strategy import Strategy
from sharding.planner.plan import plan_sharding
from sharding.weights.task import Task
from specs.errors import PlanError, SpecError
from specs.machine import load_machine
from specs.model import ModelSpec, load_model
from specs.scenario import Scenario


def test_a_scenario_is_served_on_the_frame_that_is_asked_for(tiny_config: Path) -> None:
    scenario = Scenario(
        model=str(tiny_config),
        chips=24,
        strategy="tensor=5,pipeline=4",
        context=64,
        sequences=3,
    )
    timetable = served_timetable(scenario, FrameOptions(2, 8, pace="chunk"))
    frame = timetable.frame
    assert (frame.slots, frame.windows, frame.chunk_tokens) == (3, 2, 8)
    assert frame.pace is Pace.CHUNK
    assert frame.context_tokens == 64
    # The schedules of the times are proven.
    assert len(timetable.times.decode_certificates[0]) == 16


def test_workloads_and_encoders_are_not_served() -> None:
    with pytest.raises(SpecError, match="workload gemm:8x8x8 makes no tokens"):
        served_timetable(Scenario(workload="gemm:8x8x8"), FrameOptions())
    encoder = Scenario(model="bert-base", chips=8, strategy="tensor=4", context=64)
    with pytest.raises(PlanError, match="bert-base is an encoder"):
        served_timetable(encoder, FrameOptions())


def test_no_prefix_of_a_state_is_cached(linear_model: ModelSpec) -> None:
    for model in (linear_model, load_model("gpt2")):
        task = Task(model, load_machine(), 1, 16, 1)
        one = Strategy(tensor=1, pipeline=1)
        plan = plan_sharding(task, one, np.zeros(1, dtype=np.int64))
        if model.linear is None:
            check_by_position(plan, "cache")
            continue
        with pytest.raises(
            PlanError, match=r"^cache: linear has .* leave \[cache\] out"
        ):
            check_by_position(plan, "cache")
