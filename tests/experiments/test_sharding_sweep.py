from pathlib import Path

import pytest

from experiments.script.experiment_script import Subject
from experiments.sharding_sweep import experiment
from specs.errors import SpecError


def test_splits_of_a_model_on_a_wiring_of_ones_own_are_compared(
    tiny_config: Path,
) -> None:
    asked = {"model": str(tiny_config), "topology": "torus:2x5"}
    own = experiment.about(Subject(scenario=asked, chips=(10,)))
    table, _, more = own(1, True)
    assert table["split"].tolist()[0] == "auto"
    assert set(table["chips"]) == {10}
    assert more["space"]["chips"].max() <= 10


def test_splits_are_compared_on_one_number_of_chips() -> None:
    asked = experiment.about(Subject(scenario={}, chips=(8, 16)))
    with pytest.raises(SpecError, match="--chips 8,16: strategies are compared on one"):
        asked(1, True)
