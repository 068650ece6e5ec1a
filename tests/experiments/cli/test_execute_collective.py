import subprocess
from collections.abc import Callable

import pytest

import experiments.cli.execute as command

Groqrack = Callable[..., subprocess.CompletedProcess[str]]


def test_an_executed_collective_agrees_or_is_exit_code_3(
    groqrack: Groqrack, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = ("execute", "--collective", "reduce-scatter", "--chips", "4", "--bytes")
    done = groqrack(*small, "777", "--algorithm", "ring")
    assert done.returncode == 0
    assert "agrees" in done.stdout
    monkeypatch.setattr(command, "TOLERANCE", -1.0)
    done = groqrack(*small, "777")
    assert done.returncode == 3
    assert "DIFFERS" in done.stdout


def test_a_collective_has_a_size_and_nothing_of_a_model(groqrack: Groqrack) -> None:
    done = groqrack("execute", "--collective", "all-reduce")
    assert done.returncode == 2
    assert "--bytes 16384" in done.stderr
    done = groqrack(
        "execute", "--collective", "broadcast", "--bytes", "8", "--batch", 2
    )
    assert done.returncode == 2
    assert "a collective has no --batch" in done.stderr
