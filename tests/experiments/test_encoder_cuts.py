"""Cuts of an encoder into stages that count communication."""

import pytest

from compiler.bounds.congestion_bound import congestion_bound
from experiments import encoder_cuts
from experiments.encoder_cuts import StageCutProblem, min_max_cuts
from sharding.parallelism.strategy import Strategy
from sharding.weights.blocks import model_units
from sharding.weights.task import Task
from specs.machine import load_machine
from specs.model import load_model
from topologies.selection import select_topology


def problem(tensor: int, pipeline: int) -> StageCutProblem:
    machine, topology = load_machine(), select_topology(4)
    task = Task(load_model("bert-large"), machine, tensor, 128, 1)
    units = model_units(task.model, machine, tensor=tensor, pipeline=pipeline)
    strategy = Strategy(tensor=tensor, pipeline=pipeline)
    links = congestion_bound(machine, topology, 0)
    return StageCutProblem(task, strategy, units, topology, links)


def test_one_stage_is_the_whole_encoder() -> None:
    assert min_max_cuts(problem(4, 1)) == [0]


@pytest.mark.parametrize(("tensor", "pipeline"), [(2, 2), (1, 4)])
def test_stages_of_equal_layers_are_about_equally_long(
    tensor: int, pipeline: int
) -> None:
    whole = problem(tensor, pipeline)
    cuts = min_max_cuts(whole)
    assert cuts[0] == 0
    assert len(cuts) == pipeline
    lengths = [
        end - begin
        for begin, end in zip(cuts, [*cuts[1:], len(whole.units)], strict=True)
    ]
    assert max(lengths) <= 1.5 * min(lengths)


def test_on_slower_links_stages_that_hand_over_have_less_to_compute(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slow = load_machine().with_settings({"link.rate_gbps": 25})
    monkeypatch.setattr(encoder_cuts, "load_machine", lambda: slow)
    table, _, more = encoder_cuts.experiment(1, quick=True)
    cycles = table.set_index(["strategy", "rule"])
    pace, macs = cycles["slowest_stage_cycles"], cycles["slowest_stage_macs"]
    split = "tensor=1,pipeline=4"
    assert pace[split, "all"] < 0.95 * pace[split, "FLOPs"]
    assert macs[split, "FLOPs"] < macs[split, "all"]
    (choice,) = more["choice"].to_dict("records")
    assert choice["flops_strategy"] == "tensor=4,pipeline=1"
    assert choice["all_strategy"] == split
