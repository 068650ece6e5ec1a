import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.sweep.axes import read_axes
from experiments.sweep.grid import sweep_of
from experiments.sweep.result_store import ResultStore
from experiments.sweep.shards import LEDGER, Shard, merge_shards, shard_named
from specs.errors import OutputError, SpecError

SWEEP = sweep_of({}, read_axes({"seed": [1, 2, 3, 4, 5, 6, 7]}, "mine"), "mine")


@given(st.integers(1, 7))
def test_every_point_is_in_one_shard(count: int) -> None:
    shards = [Shard(number, count).part(SWEEP) for number in range(1, count + 1)]
    seeds = [point.scenario.seed for shard in shards for point in shard.points]
    assert sorted(seeds) == [1, 2, 3, 4, 5, 6, 7]
    sizes = [len(shard.points) for shard in shards]
    assert max(sizes) - min(sizes) <= 1


@given(st.integers(0, 5), st.integers(1, 4), st.integers(1, 9))
def test_the_jobs_of_an_array_are_all_shards(least: int, step: int, count: int) -> None:
    ids = range(least, least + step * count, step)
    shards = []
    for number in ids:
        values = {"ID": number, "MIN": ids[0], "MAX": ids[-1], "STEP": step}
        names = {f"SLURM_ARRAY_TASK_{key}": str(each) for key, each in values.items()}
        shards.append(shard_named("slurm", names))
    assert shards == [Shard(number, count) for number in range(1, count + 1)]


@pytest.mark.parametrize("text", ["0/4", "5/4", "2", "a/b", "1/0", "-1/4", "1/9999999"])
def test_what_is_no_shard_is_refused(text: str) -> None:
    with pytest.raises(SpecError, match=re.escape(f"--shard {text}: write I/N")):
        shard_named(text)


def test_outside_a_job_array_slurm_says_nothing() -> None:
    with pytest.raises(SpecError, match=r"SLURM_ARRAY_TASK_ID.* are not set"):
        shard_named("slurm", {"SLURM_ARRAY_TASK_ID": "1"})


def kept(folder: Path, **outcomes: Any) -> None:
    folder.mkdir(parents=True)
    with ResultStore(folder / LEDGER) as ledger:
        for key, reason in outcomes.items():
            ledger.record(
                key,
                "{}",
                f'{{"feasible": false, "reason": "{reason}", "numbers": {{}}}}',
            )


def test_shards_are_joined_and_what_is_missing_is_counted(tmp_path: Path) -> None:
    kept(tmp_path / "shard-1-of-2", a="first", other="of another sweep")
    kept(tmp_path / "shard-2-of-2", b="second")
    with ResultStore(tmp_path / LEDGER) as ledger:
        assert merge_shards(tmp_path, ledger, ["a", "b"]) == 2
        found = ledger.outcomes(["a", "b", "other"])
        assert {key: each.reason for key, each in found.items()} == {
            "a": "first",
            "b": "second",
        }
        with pytest.raises(OutputError, match="1 of 3 points are in none of the 2"):
            merge_shards(tmp_path, ledger, ["a", "b", "c"])


def test_a_folder_without_shards_is_refused(tmp_path: Path) -> None:
    with ResultStore(None) as ledger, pytest.raises(OutputError, match="run the sh"):
        merge_shards(tmp_path, ledger, ["a"])
