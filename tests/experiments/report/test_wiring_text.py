from pathlib import Path

import numpy as np

from experiments.report.wiring_text import parallel_links, wiring_text
from experiments.run.scenario import Run, run_scenario
from specs.scenario import Scenario


def test_further_cables_between_the_same_chips_are_parallel() -> None:
    # 0-1, 1-0 again, 1-2: two directed links each.
    source, target = (
        np.array(each, dtype=np.int32)
        for each in ([0, 1, 1, 0, 1, 2], [1, 0, 0, 1, 2, 1])
    )
    assert parallel_links(source, target).tolist() == [
        False,
        False,
        True,
        True,
        False,
        False,
    ]


def test_the_wiring_of_a_file_says_what_its_numbers_mean(
    tiny_config: Path, tmp_path: Path
) -> None:
    path = tmp_path / "pair.csv"
    path.write_text("source,target,level\n0,1,rack\n0,1,rack\n0,1,rack\n")
    scenario = Scenario(
        model=str(tiny_config),
        chips=2,
        strategy="tensor=1,pipeline=2",
        topology=str(path),
        context=64,
        tokens=1,
        engine="replay",
    )
    run = run_scenario(scenario)
    carried = run.result.links
    used = {int(link) // 2 for link in carried.link[carried.vectors > 0]} - {0}
    assert wiring_text(run) == (
        "chips numbered as in pair.csv, taken in that order; its levels make 2 nodes "
        f"in 1 rack; 2 parallel cables, {len(used)} of them used"
    )


def test_a_named_wiring_needs_no_words(small_run: Run) -> None:
    assert wiring_text(small_run) is None
