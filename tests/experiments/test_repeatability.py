import json
import subprocess
from collections.abc import Callable
from pathlib import Path

Start = Callable[..., "subprocess.Popen[str]"]


def options(model: Path, out: Path, seed: int) -> list[str]:
    return [
        *("simulate", "--model", str(model), "--chips", "80", "--tokens", "3"),
        *("--strategy", "tensor=10,pipeline=8", "--context", "300"),
        *("--set", "link.ber=1e-6", "--seed", str(seed), "--out", str(out), "--json"),
    ]


def test_the_same_seed_gives_the_same_bytes_in_two_processes(
    start: Start, tiny_config: Path, tmp_path: Path
) -> None:
    runs = {
        "one": start(*options(tiny_config, tmp_path / "one", 7), PYTHONHASHSEED="1"),
        "two": start(*options(tiny_config, tmp_path / "two", 7), PYTHONHASHSEED="2"),
    }
    hashes = set()
    for process in runs.values():
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
    groqrack: Callable[..., subprocess.CompletedProcess[str]],
    tiny_config: Path,
    tmp_path: Path,
) -> None:
    hashes = {
        json.loads(groqrack(*options(tiny_config, tmp_path, seed)).stdout)["run"][
            "trajectory_hash"
        ]
        for seed in (7, 8, 9)
    }
    assert len(hashes) == 3
