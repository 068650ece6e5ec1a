from itertools import chain
from typing import Any

import pytest

from specs.encoder_decoders.reading import encoder_decoder_from_config
from specs.graph import Vector
from tests.workloads.encoder_decoders.make_transformers_values import CASES
from workloads.encoder_decoders.relative_positions import (
    bias_of_distances,
    bucket_of,
    bucket_runs,
)
from workloads.encoder_decoders.stack_builder import StackBuilder


@pytest.mark.parametrize("both_sides", [True, False])
def test_rows_of_distances_are_those_of_the_published_code(
    both_sides: bool, published: dict[str, Any]
) -> None:
    rows = [bucket_of(n, 32, 128, both_sides=both_sides) for n in range(-200, 201)]
    assert rows == published["buckets"][str(both_sides)]


def test_runs_are_the_rows_of_all_distances_in_order() -> None:
    runs = bucket_runs(range(-9, 1), 8, 16, both_sides=False)
    rows = list(chain.from_iterable([run.bucket] * run.distances for run in runs))
    assert rows == [6, 6, 5, 5, 4, 4, 3, 2, 1, 0]
    assert [run.bucket for run in runs] == [6, 5, 4, 3, 2, 1, 0]


def test_biases_of_distances_are_taken_from_the_table_run_by_run() -> None:
    builder = StackBuilder(encoder_decoder_from_config(CASES["t5"], "t5"), "decoder")
    name = bias_of_distances(builder, "bias", range(-3, 1))
    (move,) = builder.graph()[1]
    assert isinstance(move, Vector)
    assert name == "bias"
    # Rows 3, 2, 1 and 0, of 4 heads.
    assert [view.start for view in move.views] == [12, 8, 4, 0]
    assert move.turns == 4
