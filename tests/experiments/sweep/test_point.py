import json
import shutil
from pathlib import Path

import pytest

from experiments.report.run_summary import summary
from experiments.run.scenario import Programs, compile_programs, run_scenario
from experiments.sweep import point
from experiments.sweep.point import (
    PointChangedError,
    flat_numbers,
    of_any_seed,
    point_key,
    run_point,
    settled,
)
from specs.scenario import Scenario


def tiny(config: Path, **changes: object) -> Scenario:
    return Scenario(
        model=str(config),
        chips=8,
        strategy="tensor=4",
        context=64,
        tokens=2,
        engine="replay",
    ).model_copy(update=changes)


def outcome(scenario: Scenario) -> str:
    return run_point(scenario.model_dump_json(), point_key(scenario))


def test_a_point_gives_the_numbers_of_its_summary_and_the_same_ones_again(
    tiny_config: Path,
) -> None:
    scenario = tiny(tiny_config)
    first = outcome(scenario)
    assert outcome(scenario) == first
    said = json.loads(first)
    facts = summary(run_scenario(scenario))
    assert said["feasible"]
    assert said["numbers"] == flat_numbers(facts)
    assert (
        said["numbers"]["iteration.latency_ns.p50"]
        == (facts["iteration"]["latency_ns"]["p50"])
    )
    assert said["numbers"]["run.trajectory_hash"] == facts["run"]["trajectory_hash"]
    assert not {"run.wall_s", "run.peak_rss_bytes", "inputs.seed"} & {*said["numbers"]}


def test_points_that_differ_by_their_seed_share_programs_and_nothing_else(
    tiny_config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled: list[Scenario] = []

    def counted(scenario: Scenario) -> Programs:
        compiled.append(scenario)
        return compile_programs(scenario)

    monkeypatch.setattr(point, "compile_programs", counted)
    point._programs.cache_clear()
    for seed in (1, 2):
        scenario = tiny(tiny_config, seed=seed, settings={"link.ber": 1e-7})
        alone = flat_numbers(summary(run_scenario(scenario)))
        assert json.loads(outcome(scenario))["numbers"] == alone
    assert len(compiled) == 1
    outcome(tiny(tiny_config, settings={"link.ber": 1e-8}))
    assert len(compiled) == 2


def test_a_point_that_does_not_fit_has_a_reason_and_no_numbers(
    tiny_config: Path,
) -> None:
    said = json.loads(outcome(tiny(tiny_config, strategy="tensor=16")))
    assert (said["feasible"], said["numbers"]) == (False, {})
    assert "16 chips but 8 are there" in said["reason"]


def test_whatever_decides_a_result_changes_the_key(
    tiny_config: Path, tmp_path: Path
) -> None:
    scenario = tiny(tiny_config)
    others = [
        tiny(tiny_config, seed=2),
        tiny(tiny_config, settings={"link.ber": 1e-9}),
        tiny(tiny_config, engine="simpy"),
        tiny(tiny_config, machine="elsewhere.toml"),
    ]
    keys = {point_key(each) for each in (scenario, *others)}
    assert len(keys) == 5
    edited = tmp_path / tiny_config.parent.name / "config.json"
    edited.parent.mkdir()
    edited.write_text(tiny_config.read_text() + " ")
    assert point_key(tiny(edited)) not in keys


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("faults", "script.txt"),
        ("faults", "script.toml"),
        ("topology", "wiring.CSV"),
        ("topology", "wiring.graphml"),
        ("strategy", "plan.csv"),
        ("machine", "machine.toml"),
        ("model", "config.json"),
    ],
)
def test_the_content_of_each_file_that_a_point_names_is_in_its_key(
    tiny_config: Path, tmp_path: Path, key: str, name: str
) -> None:
    path = tmp_path / name
    path.write_text("before")
    scenario = tiny(tiny_config, **{key: str(path)})
    first = point_key(scenario)
    path.write_text("after")
    assert point_key(scenario) != first


def test_the_index_of_a_checkpoint_is_in_the_key_of_its_model(
    tiny_config: Path, tmp_path: Path
) -> None:
    shutil.copy(tiny_config, tmp_path)
    scenario = tiny(tmp_path / "config.json")
    without = point_key(scenario)
    (tmp_path / "model.safetensors.index.json").write_text("{}")
    assert point_key(scenario) != without


def test_a_file_that_is_called_as_a_word_is_none(
    tiny_config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scenario = tiny(tiny_config, topology="node")
    key = point_key(scenario)
    monkeypatch.chdir(tmp_path)
    for word in ("node", "tensor=4"):
        (tmp_path / word).write_text("mine")
    assert (point_key(scenario), settled(scenario)) == (key, scenario)


def test_where_a_file_lies_does_not_change_the_key(
    tiny_config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied = tmp_path / tiny_config.parent.name
    shutil.copytree(tiny_config.parent, copied)
    assert point_key(tiny(copied / "config.json")) == point_key(tiny(tiny_config))
    assert point_key(tiny(copied)) == point_key(tiny(tiny_config))
    monkeypatch.chdir(tmp_path)
    here = tiny(Path(copied.name))
    assert point_key(here) == point_key(tiny(tiny_config))
    assert settled(here).model == str(copied / "config.json")


def test_a_file_that_changed_since_the_sweep_began_is_noticed(
    tiny_config: Path, tmp_path: Path
) -> None:
    path = tmp_path / "config.json"
    shutil.copy(tiny_config, path)
    scenario = tiny(path)
    key = point_key(scenario)
    path.write_text(path.read_text().replace("1280", "640"))
    with pytest.raises(PointChangedError, match="has changed since the sweep began"):
        run_point(scenario.model_dump_json(), key)


def test_scenarios_that_differ_by_their_seed_alone_share_programs() -> None:
    one, two = (Scenario(seed=seed, tokens=3) for seed in (1, 2))
    assert of_any_seed(one) == of_any_seed(two)
    assert of_any_seed(one) != of_any_seed(one.model_copy(update={"tokens": 4}))
    assert of_any_seed(one).model_copy(update={"seed": 1}) == one
