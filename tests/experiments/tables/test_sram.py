from pathlib import Path

import pandas as pd

from experiments.run.scenario import Run
from experiments.tables.sram import sram_table
from experiments.trace.window import Window

MEMORY = ["weight_bytes", "kv_bytes", "activation_bytes", "program_bytes", "free_bytes"]


def test_memory_in_use_and_free_is_all_there_is_at_any_time(small_folder: Path) -> None:
    table = pd.read_csv(small_folder / "sram.csv")
    assert set(table[MEMORY].sum(axis="columns")) == {230_686_720}
    assert (table["free_bytes"] > 0).all()


def test_each_chip_begins_at_cycle_0_and_ends_with_what_it_keeps(
    small_folder: Path,
) -> None:
    table = pd.read_csv(small_folder / "sram.csv")
    chips = pd.read_csv(small_folder / "chips.csv").set_index("chip")
    first = table.groupby("chip").first()
    assert set(first["cycle"]) == {0}
    last = table.groupby("chip").last()
    for name in ("weight_bytes", "kv_bytes"):
        assert last[name].tolist() == chips.loc[last.index, name].tolist()
    least = table.groupby("chip")["activation_bytes"].min()
    assert last["activation_bytes"].tolist() == least.tolist()
    most = table.groupby("chip")["activation_bytes"].max()
    busy = chips.loc[last.index, "busy_cycles"] > 0
    assert ((most > least) | ~busy).all()


def test_only_changes_are_listed_and_in_order(small_folder: Path) -> None:
    table = pd.read_csv(small_folder / "sram.csv")
    assert table["chip"].is_monotonic_increasing
    by_chip = table.groupby("chip")
    assert (by_chip["cycle"].diff().dropna() > 0).all()
    assert (by_chip["activation_bytes"].diff().dropna() != 0).all()


def test_the_window_says_which_chips(small_run: Run) -> None:
    table = sram_table(small_run, Window(first_chip=1, last_chip=2))
    fullest = small_run.prepared.plan.fullest_chip_bytes
    stages = small_run.prepared.plan.stages
    (full,) = {
        int(stage.chips[stage.memory.total.argmax()])
        for stage in stages
        if stage.memory.total.max() == fullest
    }
    assert set(table["chip"]) == {1, 2, full}
    assert set(sram_table(small_run, Window(first_chip=10**6))["chip"]) == {full}
