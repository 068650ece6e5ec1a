import inspect
import re
from pathlib import Path
from typing import get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.cli.options import AsJson, plain_console
from experiments.cli.scenario_options import (
    ScenarioOptions,
    content_from,
    parse_settings,
    scenario_from,
    takes_scenario,
)
from specs.errors import SpecError
from specs.scenario import Scenario

words = st.text("abcxyz.0123456789", min_size=1, max_size=8)


def test_only_what_was_said_is_given() -> None:
    options = ScenarioOptions(chips=8, settings=["link.ber=0"], batch=0)
    assert options.given == {"chips": 8, "batch": 0}


def test_every_option_is_a_key_of_a_scenario() -> None:
    said = set(ScenarioOptions.__dataclass_fields__) - {"scenario_file", "settings"}
    assert said <= Scenario.model_fields.keys()
    assert Scenario.model_fields.keys() - said == {"settings"}


def test_the_help_says_the_default_of_every_option_that_has_one() -> None:
    hints = get_type_hints(ScenarioOptions, include_extras=True)
    shown = {
        name: str(hints[name].__metadata__[0].show_default)
        for name in ScenarioOptions.__dataclass_fields__
        if name in Scenario.model_fields and name not in ("workload", "settings")
    }
    defaults = {name: Scenario.model_fields[name].default for name in shown}
    # A split over the chips there are, the fastest chunk, and no file.
    special = {"strategy": "tensor=8", "prefill_chunk": "the fastest", "faults": "none"}
    for name, told in shown.items():
        expected = special.get(name, str(defaults[name]))
        assert re.fullmatch(rf"{re.escape(expected)}([;,] .+)?", told), name
    assert str(defaults["strategy"]).startswith("tensor=8,")


def test_the_command_line_overrides_the_file(tmp_path: Path) -> None:
    path = tmp_path / "scenario.toml"
    path.write_text("chips = 8\nseed = 5\n[link]\nber = 1e-9\n", "utf-8")
    options = ScenarioOptions(scenario_file=path, chips=16)
    assert content_from(options, {"fec.code": "none"}) == {
        "chips": 16,
        "seed": 5,
        "settings": {"link.ber": 1e-9, "fec.code": "none"},
    }
    assert scenario_from(options).chips == 16
    assert scenario_from(options).seed == 5


def test_an_objective_needs_a_search() -> None:
    with pytest.raises(SpecError, match="add --strategy auto"):
        scenario_from(ScenarioOptions(objective="energy"))


def test_several_values_of_a_setting_are_refused_where_one_is_meant() -> None:
    with pytest.raises(SpecError, match=r"one value at a time here, as in link.ber=0"):
        scenario_from(ScenarioOptions(settings=["link.ber=0,1e-9"]))


@given(st.dictionaries(words, st.lists(words, min_size=1, max_size=3), max_size=4))
def test_settings_are_parsed_into_single_and_several_values(
    settings: dict[str, list[str]],
) -> None:
    pairs = [f"{key}={','.join(values)}" for key, values in settings.items()]
    fixed, swept = parse_settings(pairs)
    assert {**{key: [value] for key, value in fixed.items()}, **swept} == settings
    assert all(len(values) > 1 for values in swept.values())


@pytest.mark.parametrize("pair", ["link.ber", "=3", "link.ber="])
def test_a_setting_that_is_no_pair_is_refused(pair: str) -> None:
    with pytest.raises(SpecError, match="write KEY=VALUE"):
        parse_settings([pair])


def test_a_setting_of_several_values_cannot_be_given_twice() -> None:
    with pytest.raises(SpecError, match="put all in one list"):
        parse_settings(["link.ber=0", "link.ber=1,2"])


def test_a_command_gets_its_scenario_options_as_one_value() -> None:
    seen: list[tuple[ScenarioOptions, bool]] = []

    @takes_scenario("engine", "faults")
    def command(options: ScenarioOptions, as_json: AsJson = False) -> None:
        seen.append((options, as_json))

    names = list(inspect.signature(command).parameters)
    assert names[0] == "scenario_file"
    assert names[-1] == "as_json"
    assert not {"engine", "faults", "options"} & set(names)
    command(**{**dict.fromkeys(names[:-1]), "chips": 8, "as_json": True})
    assert seen == [(ScenarioOptions(chips=8), True)]


def test_tables_are_printed_without_colours_that_are_guessed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    plain_console().print("12 chips")
    assert capsys.readouterr().out == "12 chips\n"
