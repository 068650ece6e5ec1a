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
    of_any_run,
    point_key,
    run_point,
    settled,
)
from specs.errors import RackError
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


def test_points_that_differ_in_what_is_drawn_share_programs_and_nothing_else(
    tiny_config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled: list[Scenario] = []

    def counted(scenario: Scenario) -> Programs:
        compiled.append(scenario)
        return compile_programs(scenario)

    monkeypatch.setattr(point, "compile_programs", counted)
    point._programs.cache_clear()
    said = []
    for changes in (
        {"seed": 1, "settings": {"link.ber": 1e-5}},
        {"seed": 2, "settings": {"link.ber": 1e-5}},
        {"settings": {"link.ber": 1e-4}, "engine": "simpy"},
        {"settings": {"link.ber": 1e-5, "link.errors": "bursts"}, "tokens": 3},
    ):
        scenario = tiny(tiny_config, **changes)
        alone = flat_numbers(summary(run_scenario(scenario)))
        said.append(json.loads(outcome(scenario))["numbers"])
        assert said[-1] == alone
    assert len(compiled) == 1
    hashes = {numbers["run.trajectory_hash"] for numbers in said}
    assert len(hashes) == len(said)
    outcome(tiny(tiny_config, settings={"link.jitter_cycles": 1}))
    assert len(compiled) == 2


def test_a_setting_that_only_a_run_has_is_refused_as_without_shared_programs(
    tiny_config: Path,
) -> None:
    wrong = {"link.errors": "bursts", "link.ber": 0.2, "link.burst_ber": 0.1}
    for changes in ({}, {"strategy": "tensor=16"}):
        scenario = tiny(tiny_config, settings=wrong, **changes)
        with pytest.raises(RackError, match="is not below burst_ber") as alone:
            run_scenario(scenario)
        assert json.loads(outcome(scenario))["reason"] == str(alone.value)


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


def test_scenarios_that_differ_in_what_is_drawn_share_programs() -> None:
    one = Scenario(seed=1, tokens=3, settings={"link.ber": 0, "spares": 1})
    for changes in ({"seed": 2}, {"engine": "replay"}, {"tokens": 4}):
        assert of_any_run(one.model_copy(update=changes)) == of_any_run(one)
    assert of_any_run(one).settings == {"spares": 1}
    assert of_any_run(one.model_copy(update={"context": 99})) != of_any_run(one)
    # Behind a prompt the context grows with the tokens.
    long = one.model_copy(update={"prompt": 8})
    assert of_any_run(long) != of_any_run(long.model_copy(update={"tokens": 4}))
