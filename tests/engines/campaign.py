"""Engine campaign: SimPy and replay give the same numbers and files, whatever is drawn.

``python -m tests.engines.campaign --settings 1000`` compares that many settings that
run, and prints the smallest setting that shows a difference. Exit code 1 if there is
any.
"""

import argparse
import json
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from experiments.run.collective import run_collective
from experiments.run.scenario import compile_programs, run_scenario
from specs.errors import RackError
from specs.machine import load_machine
from specs.scenario import scenario
from tests.engines.comparison import differences, files_of
from tests.engines.settings import Tree, drawn_setting
from tests.fuzz.mutation import smaller
from tests.fuzz.rendering import as_json, as_toml
from topologies.selection import select_topology

_ENGINES = ("simpy", "replay")


class Compared(NamedTuple):
    """What a setting gave.

    Attributes
    ----------
    differs
        Names of the numbers and files in which the engines differ.
    refused
        Why it does not run, empty if it does.
    reached
        What the run had: overflows, underflows, failovers and the like.
    """

    differs: tuple[str, ...]
    refused: str = ""
    reached: frozenset[str] = frozenset()


def compare(tree: Tree, folder: Path) -> Compared:
    """Return in what the engines differ in a setting, whose files go to `folder`."""
    try:
        if "collective" in tree:
            return _compare_collective(tree)
        return _compare_scenario(tree, folder)
    except RackError as error:
        return Compared((), str(error) or "refused")


def _compare_collective(tree: Tree) -> Compared:
    asked = dict(tree["collective"])
    topology = select_topology(asked.pop("chips"), asked.pop("topology", "auto"))
    machine = load_machine().with_settings(tree.get("settings", {}))
    kind = asked.pop("kind")
    one, other = (
        run_collective(topology, machine, kind, engine=engine, **asked)
        for engine in _ENGINES
    )
    differs = differences(one.result, other.result)
    reached = {"collective": 1, "overflow in a collective": one.result.overflows}
    return Compared(
        tuple(differs), reached=frozenset(name for name, n in reached.items() if n)
    )


def _compare_scenario(tree: Tree, folder: Path) -> Compared:
    asked = dict(tree.get("scenario", {}))
    if "config" in tree:
        path = folder / "config.json"
        path.write_bytes(as_json(tree["config"]))
        asked["model"] = str(path)
    if tree.get("faults"):
        path = folder / "faults.toml"
        path.write_bytes(as_toml({"fault": tree["faults"]}))
        asked["faults"] = str(path)
    asked["settings"] = tree.get("settings", {})
    made = scenario(asked)
    programs = compile_programs(made)
    one, other = (
        run_scenario(made.model_copy(update={"engine": engine}), programs=programs)
        for engine in _ENGINES
    )
    differs = differences(one.result, other.result)
    if one.prompt is not None and other.prompt is not None:
        differs += differences(one.prompt.result, other.prompt.result, "prompt")
    files = [files_of(run) for run in (one, other)]
    differs += [name for name in files[0] if files[0][name] != files[1].get(name)]
    result = one.result
    reached = {
        "overflow": result.overflows,
        "underflow": result.underflows,
        "failover": len(result.failovers),
        "missing tokens": len(result.missing),
        "replayed token": result.replays,
        "prompt": one.prompt is not None,
        "several programs": len(one.buckets) > 1,
    }
    return Compared(
        tuple(differs), reached=frozenset(name for name, n in reached.items() if n)
    )


def setting(seed: int, number: int) -> Tree:
    """Return a setting by its number."""
    return drawn_setting(random.Random(f"{seed} {number}"))


def smallest(tree: Tree, folder: Path) -> Tree:
    """Return the smallest setting that shows a difference as another does."""

    def differs(candidate: Tree) -> bool:
        try:
            return bool(compare(candidate, folder).differs)
        except (KeyError, TypeError, ValueError):
            # What is left is no setting any more.
            return False

    made: Tree = smaller(tree, differs)
    return made


def main(words: list[str] | None = None) -> int:
    """Compare the engines in drawn settings and say where they differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", type=int, default=1000, help="how many that run")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="number of the first one")
    options = parser.parse_args(words)
    reached: Counter[str] = Counter()
    refused = found = compared = 0
    began = time.process_time()
    number = options.first
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        while compared < options.settings:
            tree = setting(options.seed, number)
            number += 1
            made = compare(tree, folder)
            if made.refused:
                refused += 1
                continue
            compared += 1
            reached.update(made.reached)
            if made.differs:
                found += 1
                print(f"setting {number - 1}: {', '.join(made.differs)}", flush=True)
                print(json.dumps(smallest(tree, folder), indent=2), flush=True)
    for name, count in sorted(reached.items()):
        print(f"{name:<26}{count:>6,} settings")
    used_s = time.process_time() - began
    print(f"{compared:,} settings compared, {refused:,} refused, in {used_s:.0f} s")
    print(f"{found} of them differ")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
