import json
import subprocess
from collections.abc import Callable
from pathlib import Path

Start = Callable[..., "subprocess.Popen[str]"]


def options(model: Path, seed: int) -> list[str]:
    return [
        *("simulate", "--model", str(model), "--chips", "80", "--tokens", "3"),
        *("--strategy", "tensor=10,pipeline=8", "--context", "300"),
        *("--set", "link.ber=1e-6", "--seed", str(seed), "--json"),
    ]


def test_the_same_seed_gives_the_same_bytes_in_two_processes(
    start: Start, tiny_config: Path, tmp_path: Path
) -> None:
    words = [*options(tiny_config, 7), "--out"]
    runs = [
        start(*words, str(tmp_path / "one"), PYTHONHASHSEED="1"),
        start(*words, str(tmp_path / "two"), PYTHONHASHSEED="2"),
    ]
    hashes = set()
    for process in runs:
        printed, told = process.communicate()
        assert (process.returncode, told) == (0, "")
        hashes.add(json.loads(printed)["run"]["trajectory_hash"])
    assert len(hashes) == 1
    names = {path.name for path in (tmp_path / "one").iterdir()}
    assert names == {path.name for path in (tmp_path / "two").iterdir()}
    different = [
        name
        for name in sorted(names)
        if (tmp_path / "one" / name).read_bytes()
        != (tmp_path / "two" / name).read_bytes()
    ]
    # Wall time and memory.
    assert different == ["summary.json"]


def test_another_seed_gives_another_trajectory(
    groqrack: Callable[..., subprocess.CompletedProcess[str]], tiny_config: Path
) -> None:
    runs = [groqrack(*options(tiny_config, seed)).stdout for seed in (7, 8, 9)]
    hashes = {json.loads(run)["run"]["trajectory_hash"] for run in runs}
    assert len(hashes) == 3
