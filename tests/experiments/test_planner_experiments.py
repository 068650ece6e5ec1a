from pathlib import Path

import numpy as np
import pytest

from experiments import scaling_law, sharding_sweep
from experiments.script.experiment_script import Subject
from specs.errors import PlanError


def test_the_planner_is_as_good_as_every_split_of_the_sweep() -> None:
    table, _, tables = sharding_sweep.experiment(1, quick=True)
    latency_us = table.set_index("split")["latency_us"]
    assert (latency_us["auto"] <= latency_us["given"] * (1 + 1e-4)).all()
    # A bound of the planner's best is no more than what it takes.
    least_us = tables["space"]["latency_bound_us"].min()
    assert least_us <= latency_us["auto"] * (1 + 1e-4)
    known = tables["points"]
    fastest_us = known[known["state"] == "front"]["latency_us"].min()
    assert fastest_us == pytest.approx(latency_us["auto"], rel=1e-4)


def test_more_chips_than_a_model_needs_do_not_slow_it_down() -> None:
    table, _ = scaling_law.experiment(1, quick=True)
    ran = table[table["feasible"]]
    assert (ran["violations"] == 0).all()
    assert (ran["efficiency"] <= 1 + 1e-4).all()
    gpt2 = ran[ran["model"] == "gpt2"]
    # All take one node. Beyond it the tree of counters has another level, and every
    # receive a wider guard band.
    gpt2_us = (gpt2["latency_us"] - gpt2["guard_us"]).to_numpy(dtype=np.float64)
    assert len(gpt2_us) == len(scaling_law.QUICK_CHIPS)
    assert (gpt2_us <= gpt2_us[0] * (1 + 1e-4)).all()
    assert gpt2["guard_us"].is_monotonic_increasing


def test_a_model_of_ones_own_scales_over_chips_of_ones_own(tiny_config: Path) -> None:
    scenario = {"model": str(tiny_config), "topology": "torus:2x4"}
    about = scaling_law.experiment.about(Subject(scenario=scenario, chips=(2, 8)))
    table, _ = about(1, True)
    assert table["chips"].tolist() == [2, 8]
    assert table["latency_us"].is_monotonic_decreasing
    nothing = Subject(scenario={"model": "llama-2-70b"}, chips=(2,))
    with pytest.raises(PlanError, match="no number of chips holds llama-2-70b"):
        scaling_law.experiment.about(nothing)(1, True)
