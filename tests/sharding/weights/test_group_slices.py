import numpy as np
import pytest

from sharding.parallelism.ranges import TensorSlices
from sharding.parallelism.tensor_group import FeedForwardLayout, Range, group_of
from sharding.weights.group_slices import (
    GroupSlices,
    ProjectionRows,
    is_of_later_block,
)
from specs.arrays import Ints
from specs.model import ModelSpec, load_model

Edges = list[list[int]]
HALVES = np.array([0, 2]), np.array([2, 4])


@pytest.fixture
def pair(tiny: ModelSpec) -> GroupSlices:
    """Return the slices of a model of hidden size 8 over two chips."""
    return GroupSlices(tiny, group_of(2, 1, 0, FeedForwardLayout.ONE_D))


def edges(part: TensorSlices) -> Edges:
    """Return row start and end, column start and end of each chip."""
    columns: tuple[Ints, ...] = part[3:7]
    return [list(map(int, row)) for row in np.stack(columns, axis=1)]


def test_a_projection_split_by_rows_has_its_bias_beside_the_rows(
    pair: GroupSlices,
) -> None:
    weight, bias = pair.by_rows([ProjectionRows("up", 4, *HALVES)], biased=True)
    assert (weight.tensor, weight.rows, weight.columns) == ("up.weight", 4, 8)
    assert edges(weight) == [[0, 2, 0, 8], [2, 4, 0, 8]]
    assert weight.multiplied
    assert (bias.tensor, bias.rows, bias.columns) == ("up.bias", 1, 4)
    assert edges(bias) == [[0, 1, 0, 2], [0, 1, 2, 4]]


def test_fused_projections_are_consecutive_rows_of_one_tensor(
    pair: GroupSlices,
) -> None:
    fused = [ProjectionRows("gate_up", 4, *HALVES)] * 2
    gate, _, up, up_bias = pair.by_rows(fused, biased=True)
    assert gate.rows == up.rows == up_bias.columns == 8
    assert edges(gate) == [[0, 2, 0, 8], [2, 4, 0, 8]]
    assert edges(up) == [[4, 6, 0, 8], [6, 8, 0, 8]]
    assert edges(up_bias) == [[0, 1, 4, 6], [0, 1, 6, 8]]


def test_inputs_and_biases_of_a_projection_may_be_split_too(pair: GroupSlices) -> None:
    whole = np.array([0, 0]), np.array([4, 4])
    weight, bias = pair.by_rows(
        [ProjectionRows("up", 4, *whole)],
        biased=True,
        inputs=Range(np.array([0, 4]), np.array([4, 8])),
        biases=Range(*HALVES),
    )
    assert edges(weight) == [[0, 4, 0, 4], [0, 4, 4, 8]]
    assert edges(bias) == [[0, 1, 0, 2], [0, 1, 2, 4]]


def test_a_projection_split_by_columns_has_its_bias_on_the_shards(
    pair: GroupSlices,
) -> None:
    weight, bias = pair.by_columns("down", 4, Range(*HALVES), biased=True)
    assert (weight.tensor, weight.rows, weight.columns) == ("down.weight", 8, 4)
    assert edges(weight) == [[0, 8, 0, 2], [0, 8, 2, 4]]
    assert edges(bias) == [[0, 1, 0, 4], [0, 1, 4, 8]]


def test_rows_of_an_embedding_are_split_along_the_hidden_dimension(
    pair: GroupSlices,
) -> None:
    part = pair.by_hidden("table", 6, 1, 3)
    assert (part.rows, part.columns, part.multiplied) == (6, 8, False)
    assert edges(part) == [[1, 3, 0, 4], [1, 3, 4, 8]]


def test_a_layer_norm_has_a_bias_and_a_root_mean_square_has_none(
    pair: GroupSlices,
) -> None:
    assert [part.tensor for part in pair.norm("norm")] == ["norm.weight"]
    layer_norm = pair._replace(model=load_model("gpt2"))
    held = layer_norm.norm("ln_1")
    assert [part.tensor for part in held] == [
        "ln_1.weight",
        "ln_1.weight (copies)",
        "ln_1.bias",
        "ln_1.bias (copies)",
    ]
    # Each chip has all of it, since the mean that is subtracted is weighed too.
    assert [part.elements.tolist() for part in held[:2]] == [[768, 0], [0, 768]]


def test_a_later_part_of_a_block_has_copies_of_its_layer_norm(
    pair: GroupSlices,
) -> None:
    assert pair.norm("norm", begin=3) == []
    layer_norm = pair._replace(model=load_model("gpt2"))
    weight, bias = layer_norm.norm("ln_2", begin=3)
    assert weight.tensor == "ln_2.weight from 3 (copies)"
    assert is_of_later_block(weight.tensor)
    assert not is_of_later_block("ln_2.weight (copies)")
    assert bias.elements.tolist() == [768, 768]


def test_the_first_holder_of_a_vector_has_the_tensor_and_others_have_copies(
    tiny: ModelSpec,
) -> None:
    four = GroupSlices(tiny, group_of(4, 1, 0, FeedForwardLayout.ONE_D))
    holds = np.array([False, True, True, True])
    own, copies = four.copied_vector(holds, "q_norm.weight", 5)
    assert own.elements.tolist() == [0, 5, 0, 0]
    assert (copies.tensor, copies.rows) == ("q_norm.weight (copies)", 2)
    assert copies.elements.tolist() == [0, 0, 5, 5]
    assert copies.row_start[2:].tolist() == [0, 1]
    (alone,) = four.copied_vector(np.array([True, False, False, False]), "q_norm", 5)
    assert alone.elements.tolist() == [5, 0, 0, 0]
