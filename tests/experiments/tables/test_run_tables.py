"""Tables of a run: chips, links, tokens and failovers against the run they describe."""

import numpy as np

from experiments.run.scenario import Run
from experiments.tables.columns import COLUMNS
from experiments.tables.run_tables import (
    TABLES,
    chips_table,
    failovers_table,
    links_table,
    tokens_table,
)


def test_each_table_has_its_documented_columns(small_run: Run) -> None:
    columns = {name: list(table(small_run).columns) for name, table in TABLES.items()}
    assert columns == {name: list(COLUMNS[name]) for name in TABLES}


def test_chips_of_a_rack_stand_in_nodes_of_eight_and_stages_of_five(
    small_run: Run,
) -> None:
    table = chips_table(small_run)
    chip = np.arange(72)
    assert table["chip"].tolist() == chip.tolist()
    assert table["node"].tolist() == (chip // 8).tolist()
    assert table["slot"].tolist() == (chip % 8).tolist()
    stages = np.where(chip < 20, chip // 5, -1)
    assert table["stage"].tolist() == stages.tolist()
    # The embedding and the head have no layer of their own, nor have idle chips.
    layers = ["0", "0-1", "1-2", "3", ""]
    assert table["layers"].tolist() == [layers[stage] for stage in stages]
    works = table["busy_cycles"] > 0
    assert works.tolist() == (stages >= 0).tolist()


def test_a_run_without_faults_has_no_failover(small_run: Run) -> None:
    table = failovers_table(small_run)
    assert len(table) == 0
    assert list(table.columns) == list(COLUMNS["failovers"])


def test_both_directions_of_a_cable_are_links_in_a_row(small_run: Run) -> None:
    table = links_table(small_run)
    there, back = table[::2], table[1::2]
    assert there["source"].tolist() == back["target"].tolist()
    assert there["target"].tolist() == back["source"].tolist()
    assert there["length_m"].tolist() == back["length_m"].tolist()


def test_tokens_of_a_sequence_follow_each_other(small_run: Run) -> None:
    table = tokens_table(small_run)
    for _, tokens in table.groupby("sequence"):
        assert tokens["token"].tolist() == [0, 1, 2]
        assert tokens["start_ps"].tolist()[1:] == tokens["end_ps"].tolist()[:-1]
