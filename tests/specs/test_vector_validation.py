from typing import Any

import pytest

from specs.graph import Matmul, Role, Tensor, Vector
from specs.graph_validation import graph_faults
from specs.vector_functions import VectorFunction
from specs.vector_validation import vector_faults

X = Tensor(name="x", role=Role.INPUT, rows=2, columns=8)
W = Tensor(name="w", role=Role.WEIGHTS, rows=8, columns=8)
G = Tensor(name="g", rows=2, columns=8)
ROW = Tensor(name="row", role=Role.WEIGHTS, rows=1, columns=8)
C = Tensor(name="c", role=Role.STATE, rows=2, columns=2)
H = Tensor(name="h", role=Role.OUTPUT, rows=2, columns=2)
Y = Tensor(name="y", role=Role.OUTPUT, rows=2, columns=8)
ODD = Tensor(name="odd", role=Role.OUTPUT, rows=1, columns=1)
ALL = {"loops": [{"size": 16, "stride": 1}]}
BEYOND = ALL | {"start": 1}
PRODUCT = Matmul(name="p", left=("x",), right="w", output="g")


def faults(vector: dict[str, Any], *tensors: Tensor) -> str:
    made = Vector(name="v", **vector)
    return "; ".join(graph_faults((X, W, G, *tensors), (PRODUCT, made)))


@pytest.mark.parametrize(
    ("vector", "tensors", "message"),
    [
        ({"inputs": "g", "outputs": "y", "function": "add"}, (Y,), "takes 2 or more"),
        (
            {"inputs": "g", "outputs": "y", "function": "softmax", "passes": 2},
            (Y,),
            "v (softmax) takes 3 passes, not 2; leave passes out",
        ),
        (
            {"inputs": "g", "outputs": "y", "function": "softmax", "chained": True},
            (Y,),
            "is chained and needs whole rows; leave chained out",
        ),
        (
            {"inputs": ("g", "c"), "outputs": "y", "function": "add"},
            (Y, C),
            "v (add): c (2 x 2) has neither the elements of y (2 x 8), nor of a row",
        ),
        (
            {"inputs": ("g", "c"), "outputs": ("y", "c"), "function": "lstm_cell"},
            (Y, C),
            "v (lstm_cell) makes y (2 x 8), so g (2 x 8) must have 32 columns",
        ),
        (
            {"inputs": ("g", "c"), "outputs": ("c",), "function": "lstm_cell"},
            (C,),
            "v (lstm_cell) has 1 outputs and makes 2",
        ),
        (
            {"inputs": "g", "outputs": "y", "function": "rearrange"},
            (Y,),
            "v (rearrange) has 0 views of 1 inputs; give one for each",
        ),
        (
            {"inputs": "g", "outputs": "y", "function": "relu", "views": [ALL]},
            (Y,),
            "v (relu) has views and moves no elements; leave views out",
        ),
        (
            {"inputs": "g", "outputs": "y", "function": "rearrange", "views": [BEYOND]},
            (Y,),
            "v (rearrange): its view reaches elements 1 to 16 of 16 of g",
        ),
        (
            {"inputs": "g", "outputs": "h", "function": "rearrange", "views": [ALL]},
            (H,),
            "v (rearrange) makes 16 elements, but h (2 x 2) has 4",
        ),
        (
            {
                "inputs": "g",
                "outputs": "y",
                "function": "rearrange",
                "views": [ALL],
                "turns": 3,
            },
            (Y,),
            "its view of g has 16 elements, which 3 turns cannot share",
        ),
        (
            {
                "inputs": "g",
                "outputs": "y",
                "function": "rearrange",
                "views": [ALL],
                "chained": True,
            },
            (Y,),
            "is chained and moves elements; leave chained out",
        ),
        (
            {"inputs": "g", "outputs": "odd", "function": "reduce_sum"},
            (ODD,),
            "so a row of g (2 x 8) must have whole pieces, one for each of its",
        ),
        (
            {"inputs": ("g", "c"), "outputs": "y", "function": "rms_norm"},
            (Y, C),
            "c (2 x 2) must have 8 elements, one for each column",
        ),
    ],
)
def test_a_function_that_cannot_be_computed_is_refused(
    vector: dict[str, Any], tensors: tuple[Tensor, ...], message: str
) -> None:
    assert message in faults(vector, *tensors)


@pytest.mark.parametrize(
    ("vector", "tensors"),
    [
        ({"inputs": ("g", "row"), "outputs": "y", "function": "add"}, (ROW, Y)),
        (
            {"inputs": ("g", "c"), "outputs": ("c", "h"), "function": "lstm_cell"},
            (C, H),
        ),
    ],
)
@pytest.mark.parametrize("chained", [True, False])
def test_a_function_that_fits_its_operands_has_no_fault(
    vector: dict[str, Any], tensors: tuple[Tensor, ...], chained: bool
) -> None:
    assert not faults({**vector, "chained": chained}, *tensors)


def test_blocks_are_of_the_columns_that_the_product_multiplies() -> None:
    halves = G.model_copy(update={"rows": 4, "columns": 4})
    made = Tensor(name="y", role=Role.OUTPUT, rows=4, columns=2)
    vector = Vector(
        name="v",
        inputs=("g",),
        outputs=("y",),
        function=VectorFunction.SWIGLU,
        chained=True,
    )
    (fault,) = graph_faults((X, W, halves, made), (PRODUCT, vector))
    assert "p must multiply with weights of as many columns as g has" in fault


def test_a_vector_operator_without_a_function_has_nothing_to_check() -> None:
    free = Vector(name="v", inputs=("g",), outputs=("y",))
    assert not list(vector_faults({}, free, None))


def test_a_wrong_count_is_the_only_fault_that_is_named() -> None:
    # Neither tensor is known, and neither is looked up.
    alone = Vector(
        name="v", inputs=("g",), outputs=("y",), function=VectorFunction.MULTIPLY
    )
    (fault,) = vector_faults({}, alone, PRODUCT)
    assert fault == "v (multiply) has 1 inputs and takes 2 or more"


def test_every_operand_that_does_not_fit_is_a_fault_of_its_own() -> None:
    known = {"g": G, "c": C, "h": H, "y": Y}
    added = Vector(
        name="v", inputs=("c", "g", "h"), outputs=("y",), function=VectorFunction.ADD
    )
    found = list(vector_faults(known, added, None))
    assert [fault.partition(" has ")[0] for fault in found] == [
        "v (add): c (2 x 2)",
        "v (add): h (2 x 2)",
    ]


@pytest.mark.parametrize(
    ("vector", "tensors"),
    [
        (
            {"inputs": "g", "outputs": "y", "function": "rearrange", "views": [ALL]},
            (Y,),
        ),
        # Each of the four elements is the sum of four in a row.
        ({"inputs": "g", "outputs": "h", "function": "reduce_sum"}, (H,)),
    ],
)
def test_what_is_moved_or_reduced_in_whole_pieces_has_no_fault(
    vector: dict[str, Any], tensors: tuple[Tensor, ...]
) -> None:
    assert faults(vector, *tensors) == ""


def test_only_weights_may_have_rows_that_begin_again() -> None:
    many = Tensor(name="many", role=Role.OUTPUT, rows=6, columns=8)
    wide = Tensor(name="wide", role=Role.INPUT, rows=6, columns=8)
    two = Tensor(name="two", role=Role.WEIGHTS, rows=2, columns=8)
    added = Vector(
        name="v", inputs=("wide", "two"), outputs=("many",), function=VectorFunction.ADD
    )

    def fault(rows: Tensor) -> str:
        known = {each.name: each for each in (many, wide, rows)}
        return "; ".join(vector_faults(known, added, None))

    assert fault(two) == ""
    assert "two (4 x 8) has neither" in fault(two.model_copy(update={"rows": 4}))
    assert "has neither" in fault(two.model_copy(update={"role": Role.INPUT}))
