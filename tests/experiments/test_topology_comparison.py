from pathlib import Path

import pytest

from experiments.plots.topology_comparison import topology_comparison_figure
from experiments.script.experiment_script import Subject
from experiments.topology_comparison import experiment
from specs.errors import PlanError, TopologyError


def test_wirings_of_ones_own_are_compared_with_each_other(tiny_config: Path) -> None:
    asked = Subject(
        scenario={"model": str(tiny_config)},
        chips=(),
        topologies=("torus:2x4", "hypercube:3"),
    )
    table, figure = experiment.about(asked)(1, False)
    # The fewest chips of the two, in groups of a node and of all.
    assert set(table["chips"]) == {8}
    assert table["topology"].tolist() == ["torus:2x4", "hypercube:3"]
    assert table["feasible"].all()
    first = table["more_cables_percent"].tolist()[0]
    assert first == 0
    title = figure.axes[0].get_title(loc="left")
    assert "8 chips" in title
    assert "--placement auto" in title


def test_any_number_of_chips_has_usual_wirings_to_compare(tiny_config: Path) -> None:
    asked = Subject(scenario={"model": str(tiny_config)}, chips=(12,))
    table, _ = experiment.about(asked)(1, True)
    assert table["topology"].tolist() == [
        "rack",
        "torus:4x3",
        "torus:3x2x2",
        "hypercube:4",
    ]
    assert table["cables_per_chip"].tolist()[1:] == [2, 2, 2]


def test_a_placement_by_the_paths_of_a_wiring_is_no_slower_than_in_order(
    tiny_config: Path,
) -> None:
    asked = Subject(
        scenario={"model": str(tiny_config)}, chips=(16,), topologies=("torus:4x4",)
    )
    placed, _ = experiment.about(asked)(1, True)
    assert placed["strategy"].tolist() == ["tensor=8,pipeline=2"]
    assert placed["violations"].sum() == 0


def test_wirings_that_are_too_small_or_hold_no_model_are_refused(
    tiny_config: Path,
) -> None:
    small = Subject(
        scenario={"model": str(tiny_config)}, chips=(9,), topologies=("torus:2x4",)
    )
    with pytest.raises(TopologyError, match="torus:2x4 has 8 chips, and 9 are"):
        experiment.about(small)(1, True)
    large = Subject(scenario={"model": "llama-2-70b"}, chips=(8,))
    with pytest.raises(PlanError, match="llama-2-70b runs on none of these"):
        experiment.about(large)(1, True)


def test_a_size_that_no_wiring_can_serve_has_no_fastest_one(tiny_config: Path) -> None:
    asked = Subject(
        scenario={"model": str(tiny_config)}, chips=(4,), topologies=("torus:2x2",)
    )
    table, _ = experiment.about(asked)(1, True)
    table["feasible"], table["latency_us"] = False, float("nan")
    axes = topology_comparison_figure(table).axes[0]
    assert "4 chips: none holds it" in axes.get_title(loc="left")
    assert [text.get_text() for text in axes.texts].count("refused") == 1
