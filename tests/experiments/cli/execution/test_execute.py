import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

import experiments.cli.execution.execute as command
from experiments.cli.execution.execute import execution_report, execution_summary
from experiments.cli.scenario_options import ScenarioOptions, scenario_from
from experiments.execution.model_execution import Execution
from experiments.run.preparation import plan_scenario
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


@pytest.fixture
def execution(model: Path) -> Execution:
    """Return an execution of two sequences that was made up."""
    scenario = scenario_from(ScenarioOptions(model=str(model), chips=2, context=8))
    tokens = np.array([[5, 6], [7, 8]])
    return Execution(
        prepared=plan_scenario(scenario),
        tokens=tokens,
        expected_tokens=tokens,
        difference=2.5e-6,
        programs=3,
        operations=1234,
        messages=56,
    )


def lines_of(execution: Execution) -> list[str]:
    console = Console(width=80, color_system=None)
    with console.capture() as printed:
        console.print(execution_report(execution, 1.25))
    return [" ".join(line.split()) for line in printed.get().splitlines()]


def test_the_summary_of_an_execution_has_its_tokens_and_counts(
    execution: Execution,
) -> None:
    summary = execution_summary(execution, 1.25)
    assert summary.pop("version")
    assert summary == {
        "schema": "groqrack-fabric/execution/1",
        "model": execution.prepared.model.name,
        "topology": execution.prepared.topology.name,
        "strategy": "tensor=2,pipeline=1",
        "tokens": [[5, 6], [7, 8]],
        "reference_tokens": [[5, 6], [7, 8]],
        "largest_difference": 2.5e-6,
        "tolerance": 1e-5,
        "agrees": True,
        "programs": 3,
        "operations": 1234,
        "messages": 56,
        "wall_s": 1.25,
    }
    assert not execution_summary(replace(execution, difference=2e-5), 0)["agrees"]
    json.dumps(summary)


def test_the_report_of_an_execution_has_a_line_for_each_sequence(
    execution: Execution,
) -> None:
    model, chips, *rest = lines_of(execution)
    assert model == f"model {execution.prepared.model.name}, random weights"
    assert chips == f"chips {execution.prepared.topology.name}, tensor=2,pipeline=1"
    assert rest == [
        "sequence 0 5 6",
        "sequence 1 7 8",
        "logits largest relative difference 2.5e-06, of 1e-05 allowed:",
        "agrees",
        "executed 3 programs, 1,234 operations, 56 messages",
        "took 1.250 s",
    ]


def test_the_report_says_which_of_numbers_and_tokens_differ(
    execution: Execution,
) -> None:
    other = replace(execution, expected_tokens=np.array([[5, 6], [7, 9]]))
    text = " ".join(lines_of(other))
    # Tokens are those of the chips.
    assert "sequence 1 7 8" in text
    assert "allowed: DIFFERS; the reference chooses other tokens" in text
    text = " ".join(lines_of(replace(execution, difference=1.0)))
    assert "1.0e+00, of 1e-05 allowed: DIFFERS executed" in text
