"""Fuzz campaign: mutated input files, options and bodies given to the command.

``python -m tests.fuzz.campaign --seconds 3600`` runs for an hour; ``--cases 300`` runs
so many. A finding is written down with the smallest input that shows it. Exit code 1 if
there is any.
"""

import argparse
import gc
import json
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from tests.fuzz.judgement import Ended, Job, finding, run_case, run_cases
from tests.fuzz.kinds import Kind, companions, kinds
from tests.fuzz.mutation import damaged, mutated, smaller

_MOST_MUTATIONS = 3
_DAMAGED = 0.08
_SOUND = 0.05
# How long a finding is made smaller.
_SMALLER_S = 60
# Cases that share a process.
_TOGETHER = 30


class Case(NamedTuple):
    """One case: the input of a kind, as a tree or as bytes, and the command.

    Attributes
    ----------
    kind
        Kind of input.
    number
        Number of the case, from which all else follows.
    tree, content
        Tree, and the bytes of the file.
    words
        Command line.
    is_tree
        Whether the bytes are those of the tree.
    """

    kind: Kind
    number: str
    tree: Any
    content: bytes
    words: tuple[str, ...]
    is_tree: bool


class Workshop:
    """Folder in which cases run, each in a folder with well-formed files beside it."""

    def __init__(self, folder: Path, command: Callable[[], object]) -> None:
        self.command = command
        self._folder = folder
        self._model = folder / "companions"
        self._model.mkdir()
        companions(
            self._model, lambda name, content: (self._model / name).write_bytes(content)
        )
        self.kinds = kinds()
        self._make(
            ("plan", "--model", "config.json", "--chips", "4", "--context", "32")
        )
        rows = (self._model / "plan.csv").read_text().splitlines()
        tree = [row.split(",") for row in rows]
        self.kinds["plan"] = self.kinds["plan"]._replace(trees=(tree,))
        self._make(("workload", "config.json", "--context", "32"), "graph.json")
        graph = json.loads((self._model / "graph.json").read_text())
        self.kinds["graph"] = self.kinds["graph"]._replace(trees=(graph,))
        (self._model / "model.onnx").write_bytes(
            self.kinds["onnx"].render(self.kinds["onnx"].trees[0])
        )

    def _make(self, words: tuple[str, ...], name: str = "plan.csv") -> None:
        """Make a file of the well-formed ones by the command itself."""
        ended = run_case(self.command, [*words, "--out", name], self._model)
        if ended.code:
            raise RuntimeError(f"{' '.join(words)}: {ended.told}")

    def end_of(self, case: Case) -> Ended:
        """Return how a case ends in a process of its own."""
        return self.ends_of([case])[0]

    def ends_of(self, cases: list[Case]) -> list[Ended]:
        """Return how cases end, one after the other in a process that they share."""
        jobs = []
        for number, case in enumerate(cases):
            folder = self._folder / f"case-{number}"
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(self._model, folder, symlinks=True)
            (folder / case.kind.file).write_bytes(case.content)
            jobs.append(Job(case.words, folder))
        return run_cases(self.command, jobs)

    def case(self, seed: int, number: int, names: list[str]) -> Case:
        """Return a case by its number."""
        draw = random.Random(f"{seed} {number}")
        kind = self.kinds[names[number % len(names)]]
        tree = draw.choice(kind.trees)
        if draw.random() >= _SOUND:
            for _ in range(draw.randint(1, _MOST_MUTATIONS)):
                tree = mutated(tree, draw, kind.words)
        if isinstance(tree, dict):
            tree = {key: kind.trees[0][key] for key in kind.kept} | tree
        content = kind.render(tree)
        is_tree = draw.random() >= _DAMAGED
        if not is_tree:
            content = damaged(content, draw)
        command = draw.choice(kind.commands)
        words = words_of(command, kind, content)
        return Case(kind, f"{seed}-{number}", tree, content, words, is_tree)

    def smallest(self, case: Case, told: str, tries: int) -> Case:
        """Return the smallest case that ends as one whose finding was `told`."""
        if not case.is_tree:
            return case
        index = case.words

        def made(tree: Any) -> Case:
            content = case.kind.render(tree)
            words = index
            if case.kind.name == "options":
                words = words_of((index[0], "{words}"), case.kind, content)
            return case._replace(tree=tree, content=content, words=words)

        def is_one(tree: Any) -> bool:
            if any(key not in tree for key in case.kind.kept):
                return False
            return finding(self.end_of(made(tree))) == told

        return made(smaller(case.tree, is_one, tries))


def words_of(command: tuple[str, ...], kind: Kind, content: bytes) -> tuple[str, ...]:
    """Return a command line with the name of the file, or the options that it holds."""
    words: list[str] = []
    for word in command:
        if word == "{words}":
            text = content.decode("utf-8", "replace").replace("\x00", "")
            words += text.splitlines()
        else:
            words.append(word.replace("{file}", kind.file))
    return tuple(words)


def write_down(folder: Path, case: Case, ended: Ended, told: str) -> None:
    """Keep a finding: the file, the command, and how it ended."""
    place = folder / f"{case.kind.name}-{case.number}"
    place.mkdir(parents=True, exist_ok=True)
    (place / case.kind.file).write_bytes(case.content)
    text = f"{told}\n\ngroqrack {' '.join(case.words)}\n\n{ended.told}"
    (place / "finding.txt").write_text(text, encoding="utf-8")


def load_command() -> Callable[[], object]:
    """Return the command, with all that it loads later loaded now."""
    import importlib

    for name in (
        "matplotlib.figure",
        "scipy.sparse.csgraph",
        "pandas",
        "networkx",
        "onnx",
        "simpy",
        "experiments.run.scenario",
        "experiments.cli.execution.execute",
        "experiments.report.run_report",
        "experiments.report.run_files",
        "experiments.run.collective",
        "experiments.service.traffic_run",
        "experiments.sweep.runner",
    ):
        importlib.import_module(name)
    from experiments.cli.app import main

    # Forks share what they do not touch.
    gc.collect()
    gc.freeze()
    return main


def arguments(words: list[str] | None) -> argparse.Namespace:
    """Return the options of the campaign."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3600, help="how long")
    parser.add_argument("--cases", type=int, default=10**9, help="how many at most")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--kinds", help="names of kinds, with commas")
    parser.add_argument("--findings", type=Path, default=Path("fuzz-findings"))
    return parser.parse_args(words)


def main(words: list[str] | None = None) -> int:
    """Run the campaign and say what was found."""
    options = arguments(words)
    command = load_command()
    codes: Counter[tuple[str, int]] = Counter()
    findings: Counter[str] = Counter()
    slowest = (0.0, "")
    largest = (0, "")
    until = time.monotonic() + options.seconds
    with tempfile.TemporaryDirectory() as folder:
        workshop = Workshop(Path(folder), command)
        names = options.kinds.split(",") if options.kinds else list(workshop.kinds)
        numbers = range(options.first, options.first + options.cases)
        for first in numbers[::_TOGETHER]:
            if time.monotonic() > until:
                break
            cases = [
                workshop.case(options.seed, number, names)
                for number in numbers[first - options.first :][:_TOGETHER]
            ]
            for case, ended in zip(cases, workshop.ends_of(cases), strict=True):
                codes[case.kind.name, ended.code] += 1
                name = f"{case.kind.name}-{case.number}"
                slowest = max(slowest, (ended.took_s, name))
                largest = max(largest, (ended.peak_bytes, name))
                told = finding(ended)
                if not told:
                    continue
                findings[f"{case.kind.name}: {told}"] += 1
                if findings[f"{case.kind.name}: {told}"] == 1:
                    tries = max(3, int(_SMALLER_S / max(ended.took_s, 0.1)))
                    small = workshop.smallest(case, told, tries)
                    write_down(options.findings, small, workshop.end_of(small), told)
                    print(f"{name}: {told}", flush=True)
    for name in names:
        ends = {code: n for (kind, code), n in sorted(codes.items()) if kind == name}
        print(f"{name:<10} " + ", ".join(f"exit {c}: {n}" for c, n in ends.items()))
    print(f"slowest {slowest[0]:.1f} s ({slowest[1]})")
    print(f"largest {largest[0] / 1e6:,.0f} MB ({largest[1]})")
    print(f"{sum(codes.values()):,} cases, {len(findings)} findings")
    return int(bool(findings))


if __name__ == "__main__":
    sys.exit(main())
