"""The command in this process or in one of its own, and a model that runs at once."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from importlib import import_module
from pathlib import Path

import pytest

from experiments.cli.app import main
from experiments.report.run_files import write_run
from experiments.report.run_summary import summarise
from experiments.run.scenario import Run, run_scenario
from experiments.script.experiment_script import run_script
from experiments.trace.window import Window
from specs.scenario import Scenario

Completed = subprocess.CompletedProcess[str]
ROOT = Path(__file__).parents[2]
# Ctrl-C reaches the process even if whoever runs the tests ignores it.
COMMAND = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from experiments.cli.app import main; main()"
)


@pytest.fixture
def groqrack(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Completed]:
    monkeypatch.setenv("COLUMNS", "80")

    def run(*arguments: str | Path) -> Completed:
        words = [str(argument) for argument in arguments]
        monkeypatch.setattr(sys, "argv", ["groqrack", *words])
        with pytest.raises(SystemExit) as stop:
            main()
        printed = capsys.readouterr()
        assert isinstance(stop.value.code, int | None)
        return Completed(words, stop.value.code or 0, printed.out, printed.err)

    return run


@pytest.fixture(scope="session")
def experiment() -> Callable[..., str]:
    """Run an experiment as from its command line; return what it printed."""

    def run(name: str, *options: str | Path) -> str:
        module = import_module(f"experiments.{name}")
        shown = {"shown": module.SHOWN} if hasattr(module, "SHOWN") else {}
        printed = io.StringIO()
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(printed):
            patch.setattr(sys, "argv", [name, *map(str, options)])
            run_script(name, module.__doc__ or "", module.experiment, **shown)
        return printed.getvalue()

    return run


@pytest.fixture(scope="session")
def start() -> Callable[..., "subprocess.Popen[str]"]:
    def begin(*arguments: str | Path, **variables: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-c", COMMAND, *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, **variables},
        )

    return begin


@pytest.fixture(scope="session")
def tiny_config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tiny") / "config.json"
    config = {
        "model_type": "llama",
        "hidden_size": 640,
        "intermediate_size": 1280,
        "num_hidden_layers": 4,
        "num_attention_heads": 10,
        "num_key_value_heads": 5,
        "vocab_size": 1000,
        "max_position_embeddings": 512,
    }
    path.write_text(json.dumps(config), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def small_scenario(tiny_config: Path) -> Scenario:
    return Scenario(
        model=str(tiny_config),
        chips=24,
        strategy="tensor=5,pipeline=4",
        context=256,
        tokens=3,
        sequences=2,
        seed=3,
    )


@pytest.fixture(scope="session")
def small(small_scenario: Scenario) -> list[str]:
    """Return the options that say `small_scenario`."""
    said = small_scenario.model_dump(exclude_unset=True)
    return [word for key, value in said.items() for word in (f"--{key}", str(value))]


@pytest.fixture(scope="session")
def small_run(small_scenario: Scenario) -> Run:
    return run_scenario(small_scenario)


@pytest.fixture(scope="session")
def small_folder(small_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("small") / "out"
    write_run(small_run, summarise(small_run), folder, Window())
    return folder
