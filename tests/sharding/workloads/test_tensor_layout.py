import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharding.parallelism.grid import ColumnSplit, Grid
from sharding.workloads.tensor_layout import (
    Use,
    format_of,
    held_elements,
    product_mode,
    scheduled_matrices,
    share_of,
    split_columns,
    stays_split,
    uses_of,
)
from specs.formats import Format
from specs.graph import Lookup, Matmul, Role, Tensor
from specs.machine import load_machine
from workloads.graphs.workload import Workload, load_workload

MACHINE = load_machine()
MLP, LSTM = load_workload("mlp"), load_workload("lstm:64")
SQUARE = Grid(column=2, row=2)


def attention() -> Workload:
    """Return products of six pairs of matrices, and the lookup before them."""
    table = Tensor(name="table", role=Role.WEIGHTS, rows=9, columns=8)
    return Workload(
        "attention",
        (
            table,
            Tensor(name="queries", rows=2, columns=8, matrices=6),
            Tensor(name="keys", role=Role.STATE, rows=8, columns=5, matrices=6),
            Tensor(name="scores", role=Role.OUTPUT, rows=2, columns=5, matrices=6),
        ),
        (
            Lookup(name="embed", tables=("table",), output="queries"),
            Matmul(name="scores", left=("queries",), right="keys", output="scores"),
        ),
    )


def test_a_tensor_is_stored_in_its_own_format_or_in_that_of_its_role() -> None:
    stored = {
        name: format_of(MLP.by_name[name], MACHINE.formats)
        for name in ("w_up", "scale", "up")
    }
    assert stored == {
        "w_up": Format.FP8,
        "scale": MACHINE.formats.plain_weights,
        "up": MACHINE.formats.activations,
    }


def test_uses_say_how_operators_read_a_tensor() -> None:
    assert uses_of(MLP) == {
        "x": {Use.WHOLE},
        "scale": {Use.WHOLE},
        "normed": {Use.STREAMED},
        "w_up": {Use.INSTALLED},
        "up": {Use.PASSING},
        "activated": {Use.STREAMED},
        "w_down": {Use.INSTALLED},
        "y": set(),
    }
    assert uses_of(attention()) == {
        "table": {Use.TABLE},
        "queries": {Use.WHOLE},
        "keys": {Use.PAIRED},
        "scores": set(),
    }


def test_results_of_products_with_weights_are_split_by_the_columns_of_weights() -> None:
    up = ColumnSplit(4096)
    assert split_columns(MLP) == {"up": up, "activated": up, "y": ColumnSplit(1024)}
    # The four gates of a hidden unit are not parted.
    assert split_columns(LSTM) == {
        "gates": ColumnSplit(256, blocks=4, step=4),
        "cell": ColumnSplit(256, blocks=4),
        "h": ColumnSplit(256, blocks=4),
    }
    assert split_columns(attention()) == {}


def test_only_what_nobody_reads_whole_stays_split() -> None:
    uses, columns = uses_of(MLP), split_columns(MLP)
    split = [
        tensor.name
        for tensor in MLP.tensors
        if stays_split(tensor, uses[tensor.name], columns)
    ]
    # A product streams what is activated, and y is gathered on the first chip.
    assert split == ["up"]


def test_a_grid_splits_weights_both_ways_and_gathers_what_is_streamed() -> None:
    held = {name: chips.tolist() for name, chips in held_elements(MLP, SQUARE).items()}
    assert held == {
        "x": [16 * 1024] * 4,
        "scale": [1024] * 4,
        "normed": [16 * 1024] * 4,
        "w_up": [1024 * 4096 // 4] * 4,
        "up": [16 * 4096 // 4] * 4,
        "activated": [16 * 4096] * 4,
        "w_down": [1024 * 4096 // 4] * 4,
        "y": [16 * 1024] * 4,
    }


def test_tables_and_paired_matrices_are_split_evenly() -> None:
    held = held_elements(attention(), SQUARE)
    # Two of eight columns of nine rows; one or two of six matrices of 8 x 5.
    assert held["table"].tolist() == [2 * 9] * 4
    assert held["keys"].tolist() == [n * 8 * 5 for n in (1, 2, 1, 2)]


def test_an_input_that_one_product_streams_is_needed_beside_the_rows_of_weights() -> (
    None
):
    gemm = load_workload("gemm:6x10x8")
    assert held_elements(gemm, Grid(column=1, row=3))["a"].tolist() == [18, 18, 24]
    # Of x and h side by side, the first half of the rows meets x alone.
    assert held_elements(LSTM, Grid(column=1, row=2))["x"].tolist() == [64, 0]


@pytest.mark.parametrize(
    ("chosen", "rows", "matrices"), [(None, 1, 8), (2, 1, 2), (2, 3, 6), (2, 5, 8)]
)
def test_a_schedule_has_room_for_all_matrices_that_rows_may_choose(
    chosen: int | None, rows: int, matrices: int
) -> None:
    experts = Tensor(name="w", role=Role.WEIGHTS, rows=4, columns=4, matrices=8)
    product = Matmul(name="up", left=("x",), right="w", output="y", chosen=chosen)
    assert scheduled_matrices(product, experts, rows) == matrices


@given(
    elements=st.integers(0, 1000),
    parts=st.lists(st.integers(0, 50), min_size=1, max_size=9),
)
def test_shares_are_proportional_and_rounded_up(
    elements: int, parts: list[int]
) -> None:
    whole = max(1, sum(parts))
    shares = share_of(elements, np.array(parts), whole)
    excess = shares * whole - elements * np.array(parts)
    assert (excess >= 0).all()
    assert (excess < whole).all()


def test_a_product_takes_the_mode_of_its_wider_operand_or_of_the_machine() -> None:
    def mode(workload: Workload, number: int, **settings: object) -> int:
        product = workload.operators[number]
        assert isinstance(product, Matmul)
        dotted = {f"chip.{name}": value for name, value in settings.items()}
        return product_mode(workload, MACHINE.with_settings(dotted), product)

    # Both FP16; FP16 with FP8 weights; the input and the hidden state are INT8 as the
    # weights are.
    assert mode(load_workload("gemm:6x10x8"), 0) == 2
    assert mode(MLP, 1) == 2
    assert mode(LSTM, 0) == 1
    assert mode(LSTM, 0, operand_bytes=2) == 2
    assert mode(MLP, 1, operand_bytes=1) == 1
