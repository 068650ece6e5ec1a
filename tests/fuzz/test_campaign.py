"""Mutated inputs end in a result or in one line, and what does not is noticed."""

import os
import random
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable
from pathlib import Path

from tests.fuzz.judgement import finding, run_case
from tests.fuzz.kinds import ROOT
from tests.fuzz.mutation import mutated, smaller
from tests.fuzz.rendering import as_toml

# Sweeps start processes of their own, which takes seconds each: `make fuzz` runs them.
CHEAP = (
    "config,machine,scenario,fault,plan,links,graphml,workload,graph,onnx,traffic,"
    "options"
)


def campaign(*options: str) -> "subprocess.CompletedProcess[str]":
    # A process of its own: it forks, which one with threads cannot do safely.
    return subprocess.run(
        [sys.executable, "-m", "tests.fuzz.campaign", *options],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        check=False,
    )


def test_300_mutated_inputs_break_nothing(tmp_path: Path) -> None:
    done = campaign("--cases", "300", "--kinds", CHEAP, "--findings", str(tmp_path))
    found = [path.read_text() for path in tmp_path.glob("*/finding.txt")]
    assert (done.returncode, found) == (0, []), done.stdout + done.stderr
    assert done.stdout.endswith("300 cases, 0 findings\n")


def refuse(text: str) -> None:
    print(text, file=sys.stderr)
    sys.exit(2)


def leave_a_draft() -> None:
    Path(".draft").touch()
    refuse("error: x")


def leave_a_result() -> None:
    Path("out.csv").touch()
    refuse("error: x")


def replace_a_pipe() -> None:
    Path("pipe").unlink()
    Path("pipe").touch()


def take_memory() -> None:
    content = b"x" * 600_000_000
    print(len(content))


# The bounds of time and memory are tight here, so that the test is short.
SABOTAGES: dict[str, tuple[Callable[[], object], str]] = {
    "an error of ours": (lambda: {}[1], "traceback: test_campaign.py:"),  # type: ignore[index]
    "another exit code": (lambda: sys.exit(5), "exit code 5"),
    "a long line": (lambda: refuse("error: " + "x" * 1000), "refused in 1,007 letters"),
    "two lines": (lambda: refuse("error: x\ny"), "refused in 2 lines"),
    "no line": (lambda: sys.exit(2), "refused in 0 lines"),
    "another line": (lambda: refuse("oh"), "refused without 'error: '"),
    "colours": (lambda: refuse("error: \x1b[31mx"), "refused with control characters"),
    "a draft": (leave_a_draft, ".draft was left half-written"),
    "a result": (leave_a_result, "out.csv was written by a refused command"),
    "a pipe": (replace_a_pipe, "pipe is of another kind than before"),
    "a signal": (lambda: os.kill(os.getpid(), 11), "exit code -11"),
    "a wait": (lambda: time.sleep(99), "took more than 0.3 s"),
    "memory": (take_memory, "took 0."),
    "a result, as it should be": (lambda: print("done"), "nothing"),
    "a refusal, as it should be": (lambda: refuse("error: no"), "nothing"),
}


def judge_all(folder: Path) -> None:
    """Run every sabotage in a folder of its own and print what is found of it."""
    for number, (name, (command, _)) in enumerate(SABOTAGES.items()):
        place = folder / str(number)
        place.mkdir()
        os.mkfifo(place / "pipe")
        longest_s = 0.3 if name == "a wait" else 60
        ended = run_case(command, [], place, longest_s)
        print(finding(ended, longest_s, 600_000_000) or "nothing")


def test_an_end_that_must_not_be_is_a_finding(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-c"),
            "import sys, pathlib, tests.fuzz.test_campaign as t; "
            "t.judge_all(pathlib.Path(sys.argv[1]))",
            str(tmp_path),
        ],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=True,
    )
    told = dict(zip(SABOTAGES, done.stdout.splitlines(), strict=True))
    missed = {
        name: told[name]
        for name, (_, expected) in SABOTAGES.items()
        if not told[name].startswith(expected)
    }
    assert missed == {}


def test_the_smallest_input_of_a_finding_keeps_what_shows_it() -> None:
    tree = {"a": [1, 2, {"b": 3, "c": None}], "d": {"e": 5}}
    assert smaller(tree, lambda t: "c" in str(t)) == {"a": [{"c": None}]}


def test_a_case_follows_from_its_number() -> None:
    tree = {"a": [1, 2, 3], "b": {"c": 0.5}}
    draws = [[mutated(tree, random.Random(n), {"c": (1,)}) for n in range(50)]] * 2
    assert repr(draws[0]) == repr(draws[1])
    assert tree == {"a": [1, 2, 3], "b": {"c": 0.5}}
    assert len({repr(each) for each in draws[0]}) > 25


def test_a_table_is_rendered_as_the_toml_that_reads_the_same() -> None:
    tree = {"a": 1, "b": [{"c": "x\ny", "d": -0.5}], "e": {"f": True, "g h": []}}
    assert tomllib.loads(as_toml(tree).decode()) == tree
