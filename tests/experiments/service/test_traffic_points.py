import pytest

from experiments.service.traffic_points import steps, with_keys, without_sweep
from specs.errors import SpecError
from tests.experiments.service.test_traffic_run import CONTENT


def test_a_key_of_a_table_or_a_setting_is_replaced() -> None:
    merged = with_keys(CONTENT, {"frame.slots": "3", "chip.clock_hz": "1e9"})
    assert merged["frame"] == {**CONTENT["frame"], "slots": 3}
    assert merged["settings"] == {"model.layers": 4, "chip.clock_hz": 10**9}
    with pytest.raises(SpecError, match=r"did you mean 'chip\.clock_hz'"):
        with_keys(CONTENT, {"chip.clok_hz": 1})


def test_a_sweep_is_taken_out_of_its_file() -> None:
    table = {"cost": {"facility": {"years": [2, 4]}}, "seed": {"range": [0, 2]}}
    content, axes = without_sweep({**CONTENT, "sweep": table}, "mine.toml")
    assert content == CONTENT
    assert axes == {"cost.facility.years": [2, 4], "seed": [0, 1]}
    assert without_sweep(CONTENT, "mine.toml") == (CONTENT, {})
    with pytest.raises(SpecError, match="sweep must be a table"):
        without_sweep({"sweep": 3}, "mine.toml")


def test_a_pairing_that_is_named_may_be_changed_below_its_table() -> None:
    named = {**CONTENT, "pairing": "groqrack-h100"}
    merged = with_keys(named, {"pairing.link.latency_ns": "0"})
    assert merged["pairing"] == {"like": "groqrack-h100", "link": {"latency_ns": 0}}


def test_the_last_axis_changes_fastest() -> None:
    points = list(steps({"seed": [1, 2], "frame.slots": ["3", "4"]}))
    assert [list(each.values()) for each in points] == [[1, 3], [1, 4], [2, 3], [2, 4]]
