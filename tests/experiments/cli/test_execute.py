import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import experiments.cli.execute as command
from experiments.cli.scenario_options import ScenarioOptions, scenario_from
from specs.errors import SpecError

Groqrack = Callable[..., subprocess.CompletedProcess[str]]
CONFIG = {
    "model_type": "llama",
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 1,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 31,
    "max_position_embeddings": 64,
}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(CONFIG))
    return path


def test_the_report_says_whether_chips_and_model_agree(
    groqrack: Groqrack, model: Path
) -> None:
    small = ("--model", model, "--chips", "2", "--tokens", "2", "--prompt", "3")
    done = groqrack("execute", *small)
    assert done.returncode == 0
    assert "agrees" in done.stdout
    (tokens,) = (each for each in done.stdout.splitlines() if "sequence 0" in each)
    # The token behind the prompt, and two more.
    assert len(tokens.split()) == len(("sequence", "0")) + 3


def test_tokens_are_in_the_json(groqrack: Groqrack, model: Path) -> None:
    small = ("--model", model, "--chips", "2", "--tokens", "2", "--batch", "3")
    document = json.loads(groqrack("execute", *small, "--json").stdout)
    assert document["tokens"] == document["reference_tokens"]
    assert [len(row) for row in document["tokens"]] == [2, 2, 2]
    assert document["agrees"]


def test_an_encoder_has_pooled_states_instead(groqrack: Groqrack, model: Path) -> None:
    model.write_text(json.dumps(CONFIG | {"model_type": "bert", "type_vocab_size": 2}))
    done = groqrack("execute", "--model", model, "--chips", "2")
    assert done.returncode == 0
    assert "pooled states" in done.stdout
    assert "sequence" not in done.stdout


def test_other_numbers_are_exit_code_3(
    groqrack: Groqrack, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "TOLERANCE", 0.0)
    done = groqrack("execute", "--model", model, "--chips", "2", "--tokens", "1")
    assert done.returncode == 3
    assert "DIFFERS" in done.stdout


def test_a_workload_is_compared_with_its_reference(
    groqrack: Groqrack, monkeypatch: pytest.MonkeyPatch
) -> None:
    lstm = ("execute", "--workload", "lstm:16", "--chips", "4", "--tokens", "3")
    done = groqrack(*lstm, "--strategy", "column=2,row=2")
    assert done.returncode == 0
    assert [done.stdout.count(f"state {name}") for name in ("h", "cell")] == [1, 1]
    assert "3 iterations" in done.stdout
    monkeypatch.setattr(command, "TOLERANCE", 0.0)
    differs = groqrack(*lstm, "--json")
    assert differs.returncode == 3
    assert not json.loads(differs.stdout)["agrees"]


def test_a_large_model_is_refused_before_it_is_planned(groqrack: Groqrack) -> None:
    done = groqrack("execute", "--model", "llama-2-70b")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "shrink it" in done.stderr


def test_the_cache_holds_the_tokens_unless_a_context_is_given(model: Path) -> None:
    options = ScenarioOptions(model=str(model), chips=2, tokens=5)
    scenario = scenario_from(options)
    assert command._with_context(scenario, encoder=False).context == 5
    scenario = scenario_from(replace(options, context=4))
    with pytest.raises(SpecError, match="context 4 does not hold 5 tokens"):
        command._with_context(scenario, encoder=False)
    assert command._with_context(scenario, encoder=True).context == 4
