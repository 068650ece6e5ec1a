from pathlib import Path

import pandas as pd

from experiments.run.scenario import Run, run_scenario
from experiments.tables.timeline import timeline_table
from specs.scenario import Scenario


def of_kind(table: pd.DataFrame, *, exchange: bool) -> pd.DataFrame:
    return table[(table["kind"] == "exchange") == exchange]


def test_the_path_of_a_token_adds_up_to_its_breakdown(small_run: Run) -> None:
    table, timeline = timeline_table(small_run), small_run.schedule.timeline
    spent = timeline.spent
    assert len(table) == len(timeline.entries)
    assert of_kind(table, exchange=False)["path_cycles"].sum() == spent.compute
    stalls = spent.deskew + spent.alignment
    path = of_kind(table, exchange=True)["path_cycles"].sum()
    assert path == spent.total - spent.compute - stalls
    assert table["hidden_cycles"].sum() == timeline.hidden_cycles > 0


def test_an_exchange_is_hidden_or_on_the_path_never_both(small_folder: Path) -> None:
    table = pd.read_csv(small_folder / "timeline.csv")
    exchanges = of_kind(table, exchange=True)
    both = exchanges["hidden_cycles"] + exchanges["path_cycles"]
    assert (both <= exchanges["duration_cycles"]).all()
    assert (of_kind(table, exchange=False)["hidden_cycles"] == 0).all()
    assert table["stage"].is_monotonic_increasing
    stages = pd.read_csv(small_folder / "stages.csv")
    assert set(table["first_chip"]) >= set(stages["first_chip"])


def test_each_replica_has_a_timeline_of_its_own(tiny_config: Path) -> None:
    scenario = Scenario(
        model=str(tiny_config),
        chips=10,
        strategy="tensor=5,pipeline=1,data=2",
        context=64,
        tokens=1,
        engine="replay",
    )
    run = run_scenario(scenario)
    table = timeline_table(run)
    sums = table.groupby("replica")[["path_cycles", "hidden_cycles"]].sum()
    assert sums.index.tolist() == [0, 1]
    assert sums["hidden_cycles"].max() == run.schedule.timeline.hidden_cycles
