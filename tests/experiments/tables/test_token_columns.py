from dataclasses import replace

import numpy as np

from experiments.run.scenario import Run
from experiments.tables.columns import COLUMNS
from experiments.tables.token_columns import token_columns
from fabric.results.result import IterationRow


def iterations_of(run: Run, *rows: IterationRow) -> Run:
    return replace(run, result=replace(run.result, iterations=rows))


def test_the_causes_of_every_token_add_up_to_its_latency(small_run: Run) -> None:
    columns = token_columns(small_run)
    causes = [name for name in columns if name.endswith("_ps")]
    spent = sum(columns[name] for name in causes[3:])
    assert tuple(columns) == tuple(COLUMNS["tokens"])
    assert causes[:3] == ["start_ps", "end_ps", "latency_ps"]
    assert np.array_equal(spent, columns["latency_ps"])


def test_tokens_are_in_order_and_have_the_time_of_earlier_attempts(
    small_run: Run,
) -> None:
    rows = (
        IterationRow(1, 0, 0, 0, 100, 250, delivered=True),
        IterationRow(0, 0, 0, 0, 50, 180, delivered=False),
        IterationRow(0, 1, 1, 0, 400, 520, delivered=True),
        IterationRow(0, 1, 0, 1, 200, 330, delivered=True),
    )
    columns = token_columns(iterations_of(small_run, *rows))
    order = list(zip(columns["token"], columns["sequence"], strict=True))
    assert order == [(0, 0), (0, 1), (1, 0)]
    assert columns["latency_ps"].tolist() == [280, 150, 120]
    assert columns["replay_ps"].tolist() == [150, 0, 0]
    assert columns["attempts"].tolist() == [2, 1, 1]


def test_a_run_that_delivers_nothing_has_columns_without_rows(small_run: Run) -> None:
    columns = token_columns(iterations_of(small_run))
    assert {len(column) for column in columns.values()} == {0}
