"""Mirrors of KV caches on nodes of their own."""

import numpy as np
import pytest

from sharding.parallelism.strategy import Strategy
from sharding.placement.mirror_nodes import check_mirror_nodes
from sharding.planner.plan import ShardingPlan, plan_sharding
from sharding.weights.task import Task
from specs.errors import PlanError
from specs.machine import load_machine
from specs.model import load_model
from topologies.selection import select_topology

RACK = select_topology(72)


def planned(tensor: int, pipeline: int, kv_cache: str = "mirrored") -> ShardingPlan:
    machine = load_machine().with_settings({"failover.kv_cache": kv_cache})
    strategy = Strategy(tensor=tensor, pipeline=pipeline)
    task = Task(load_model("gpt2"), machine, tensor, 128, 1).split_as(strategy)
    return plan_sharding(task, strategy, np.arange(72), sequences=2)


def test_stages_of_whole_nodes_may_mirror_each_other() -> None:
    check_mirror_nodes(planned(8, 3), RACK)
    check_mirror_nodes(planned(4, 2, "recompute"), RACK)


@pytest.mark.parametrize(
    ("tensor", "pipeline", "message"),
    [
        (4, 4, r"chip 0 and its mirror, chip 4, are both on node 0, .* tensor=8"),
        (8, 1, r"chip 0 has no other stage to mirror it, and is on node 0"),
    ],
)
def test_a_mirror_on_the_same_node_is_refused(
    tensor: int, pipeline: int, message: str
) -> None:
    with pytest.raises(PlanError, match=message):
        check_mirror_nodes(planned(tensor, pipeline), RACK)


def test_every_stage_keeps_the_cache_of_the_stage_before() -> None:
    plain, mirrored = planned(8, 3, "recompute"), planned(8, 3)
    own = [stage.memory.kv_cache for stage in plain.stages]
    kept = [stage.memory.kv_cache for stage in mirrored.stages]
    for stage in range(3):
        assert (kept[stage] == own[stage] + own[stage - 1]).all()
    for one, other in zip(plain.stages, mirrored.stages, strict=True):
        assert (one.memory.weights == other.memory.weights).all()
