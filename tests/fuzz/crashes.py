"""Crash campaign: commands that are killed end with the bytes of one left alone.

``python -m tests.fuzz.crashes --kills 100`` kills sweeps, experiments and runs of
traffic at random moments, with all their processes, by SIGKILL; after some kills each
is left to its end. Exit code 1 if a file is there that is not whole, or if the end is
another.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from tests.fuzz.kinds import CONFIG, ROOT, SCENARIO, TRAFFIC
from tests.fuzz.rendering import as_json, as_toml

_START = "from experiments.cli.app import main; main()"
_KILLS_EACH = 5
_LONGEST_S = 300


class Command(NamedTuple):
    """A command that is killed, and one of the files that it leaves."""

    name: str
    words: tuple[str, ...]
    leaves: str


COMMANDS = (
    Command("sweep", ("sweep", "sweep.toml", "--jobs", "2"), "results.csv"),
    Command("experiment", ("experiment", "gemm_utilisation", "--quick"), ""),
    Command("traffic", ("traffic", "traffic.toml"), "requests.csv"),
)


def write_inputs(folder: Path) -> None:
    """Write what the commands read into a folder."""
    (folder / "config.json").write_bytes(as_json(CONFIG))
    sweep = SCENARIO | {"sweep": {"seed": list(range(40))}}
    (folder / "sweep.toml").write_bytes(as_toml(sweep))
    traffic = TRAFFIC | {"traffic": TRAFFIC["traffic"] | {"requests": 20_000}}
    (folder / "traffic.toml").write_bytes(as_toml(traffic))


def started(command: Command, place: Path, out: Path) -> "subprocess.Popen[bytes]":
    """Return a command that has been started, at the head of its own processes."""
    return subprocess.Popen(
        [sys.executable, "-c", _START, *command.words, "--out", str(out)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=place,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        start_new_session=True,
    )


def finished(
    command: Command, place: Path, out: Path
) -> tuple[dict[str, bytes], float]:
    """Return the files of a command that is left alone, and how long it took."""
    began = time.monotonic()
    process = started(command, place, out)
    if process.wait(_LONGEST_S):
        raise RuntimeError(f"{command.name} ends with exit code {process.returncode}")
    return files_in(out), time.monotonic() - began


def files_in(out: Path) -> dict[str, bytes]:
    """Return the content of the results in a folder, without drafts and the ledger."""
    return {
        path.name: path.read_bytes()
        for path in (sorted(out.iterdir()) if out.is_dir() else [])
        if path.is_file() and path.name[0] != "." and "ledger" not in path.name
    }


def kill_after(process: "subprocess.Popen[bytes]", seconds: float) -> bool:
    """Kill a command with its processes; return whether it had not ended before."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return True
    return False


def damage(stable: Mapping[str, bytes], found: Mapping[str, bytes]) -> list[str]:
    """Return the names of results that are there and are not whole."""
    return [name for name in stable if name in found and found[name] != stable[name]]


def campaign(command: Command, kills: int, draw: random.Random) -> list[str]:
    """Return what was wrong after a command was killed so often."""
    wrong: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        write_inputs(place)
        one, took_s = finished(command, place, place / "one")
        other, _ = finished(command, place, place / "other")
        # Some say how long they took.
        stable = {name: one[name] for name in one if one[name] == other.get(name)}
        if command.leaves and command.leaves not in stable:
            return [f"{command.name}: {command.leaves} is not the same in two runs"]
        done = 0
        while done < kills:
            out = place / f"out-{done}"
            for _ in range(min(_KILLS_EACH, kills - done)):
                moment_s = draw.uniform(0, took_s)
                done += kill_after(started(command, place, out), moment_s)
                wrong += [
                    f"{command.name}: {name} is half-written"
                    for name in damage(stable, files_in(out))
                ]
            ended, _ = finished(command, place, out)
            wrong += [
                f"{command.name}: {name} differs from that of a run left alone"
                for name in stable
                if ended.get(name) != stable[name]
            ]
    print(f"{command.name}: killed {done} times, {len(stable)} files compared")
    return wrong


def main(words: list[str] | None = None) -> int:
    """Kill each command at random moments and say what was wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100, help="of all commands")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(words)
    wrong: list[str] = []
    for number, command in enumerate(COMMANDS):
        share = (options.kills + number) // len(COMMANDS)
        found = campaign(command, share, random.Random(f"{options.seed} {number}"))
        print("".join(f"{each}\n" for each in found), end="", flush=True)
        wrong += found
    print(f"{len(wrong)} findings")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
