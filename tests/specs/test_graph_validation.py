from typing import Any

import pytest

from specs.errors import SpecError
from specs.graph import Lookup, Matmul, Role, Tensor, Vector
from specs.graph_validation import graph_faults
from specs.vector_functions import VectorFunction
from workloads.graphs.workload import Workload

X = Tensor(name="x", role=Role.INPUT, rows=2, columns=3)
W = Tensor(name="w", role=Role.WEIGHTS, rows=3, columns=4)
Y = Tensor(name="y", role=Role.OUTPUT, rows=2, columns=4)
PRODUCT = Matmul(name="product", left=("x",), right="w", output="y")


@pytest.mark.parametrize(
    ("tensors", "operators", "message"),
    [
        ((X, W, Y), (), "nothing to do; add an operator"),
        ((X, W, Y, X), (PRODUCT,), "2 tensors are called 'x'"),
        ((X, W, Y), (PRODUCT, PRODUCT), "2 operators are called 'product'"),
        ((X, Y), (PRODUCT,), "product names a tensor 'w' that is not described"),
        (
            (X, W.model_copy(update={"rows": 5}), Y),
            (PRODUCT,),
            "x has 3 columns, but w has 5 rows",
        ),
        (
            (X, W, Y.model_copy(update={"columns": 5})),
            (PRODUCT,),
            r"product makes 8 elements, but y \(2 x 5\) has 10",
        ),
        (
            (X, W, Y, Tensor(name="z", rows=1, columns=1)),
            (PRODUCT,),
            "nothing reads z; remove it, or let its role be output",
        ),
        (
            (X, W, Y, Tensor(name="z", role=Role.OUTPUT, rows=1, columns=1)),
            (PRODUCT,),
            "nothing makes the output z",
        ),
        (
            (X.model_copy(update={"role": Role.ACTIVATION}), W, Y),
            (PRODUCT,),
            "product reads x, which nothing makes",
        ),
        (
            (X.model_copy(update={"gathered": True}), W, Y),
            (PRODUCT,),
            "x is gathered, but its role is input",
        ),
        (
            (X, W.model_copy(update={"role": Role.INPUT, "matrices": 2}), Y),
            (PRODUCT,),
            "1 matrices and 2 of w cannot be multiplied in pairs",
        ),
        (
            (X, W, Y),
            (PRODUCT.model_copy(update={"chosen": 2}),),
            "product: chooses 2 of 1 in w",
        ),
        (
            (X, W, Y),
            (PRODUCT, Vector(name="again", inputs=("x",), outputs=("w",))),
            "again makes w, whose role is weights",
        ),
        (
            (X, Y),
            (Vector(name="add", inputs=("x",), outputs=("y",), chained=True),),
            "add is chained, but no product just before it makes what it reads",
        ),
        (
            (X, Y),
            (Lookup(name="rows", tables=("x",), output="y"),),
            "rows: the role of x is input, not weights; rows: rows of x have 3",
        ),
    ],
)
def test_a_graph_that_cannot_be_computed_is_refused(
    tensors: tuple[Tensor, ...], operators: tuple[Any, ...], message: str
) -> None:
    with pytest.raises(SpecError, match=message):
        Workload("mine", tensors, operators)


def test_two_operators_that_wait_for_each_other_are_refused() -> None:
    first = Vector(name="first", inputs=("b",), outputs=("a",))
    second = Vector(name="second", inputs=("a",), outputs=("b", "y"))
    tensors = (Tensor(name="a", rows=1, columns=1), Tensor(name="b", rows=1, columns=1))
    message = "first reads b before second makes it; list second first or, if each"
    with pytest.raises(SpecError, match=message):
        Workload("mine", (*tensors, Y), (first, second))


def test_a_graph_without_fault_yields_nothing() -> None:
    assert list(graph_faults((X, W, Y), (PRODUCT,))) == []


def test_every_fault_of_a_graph_is_yielded_in_order() -> None:
    short = W.model_copy(update={"rows": 5})
    spare = Tensor(name="z", rows=1, columns=1)
    assert list(graph_faults((X, short, Y, spare), (PRODUCT,))) == [
        "nothing reads z; remove it, or let its role be output",
        "product: x has 3 columns, but w has 5 rows",
    ]


def test_unknown_tensors_end_the_search_for_faults() -> None:
    other = PRODUCT.model_copy(update={"left": ("a", "b")})
    assert list(graph_faults((W, Y), (other,))) == [
        "product names a tensor 'a' that is not described",
        "product names a tensor 'b' that is not described",
    ]


def test_a_chained_operator_makes_one_pass() -> None:
    mid = Tensor(name="mid", rows=2, columns=4)
    product = PRODUCT.model_copy(update={"output": "mid"})
    twice = Vector(name="add", inputs=("mid",), outputs=("y",), chained=True, passes=2)
    assert list(graph_faults((X, W, mid, Y), (product, twice))) == [
        "add is chained and makes 2 passes; results pass by only once"
    ]
    once = twice.model_copy(update={"passes": 1})
    assert list(graph_faults((X, W, mid, Y), (product, once))) == []


def test_a_chained_cell_reads_back_what_its_first_pass_has_written() -> None:
    # Four gates of one column each, a cell state, and two results.
    gates = Tensor(name="mid", rows=2, columns=4)
    product = PRODUCT.model_copy(update={"output": "mid"})
    old, new = (
        Tensor(name=name, role=role, rows=2, columns=1)
        for name, role in (("old", Role.INPUT), ("new", Role.OUTPUT))
    )
    hidden = Y.model_copy(update={"columns": 1})
    cell = Vector(
        name="cell",
        inputs=("mid", "old"),
        outputs=("y", "new"),
        function=VectorFunction.LSTM_CELL,
        chained=True,
    )
    tensors = (X, W, gates, old, new, hidden)
    assert list(graph_faults(tensors, (product, cell))) == []
    softmax = Vector(
        name="scores",
        inputs=("mid",),
        outputs=("y",),
        function=VectorFunction.SOFTMAX,
        chained=True,
    )
    assert list(graph_faults((X, W, gates, Y), (product, softmax))) == [
        "scores is chained and makes 3 passes; results pass by only once",
        "scores (softmax) is chained and needs whole rows; leave chained out",
    ]


def test_left_operands_side_by_side_have_the_same_rows() -> None:
    tall = Tensor(name="tall", role=Role.INPUT, rows=3, columns=1)
    both = PRODUCT.model_copy(update={"left": ("x", "tall")})
    assert list(graph_faults((X, tall, W, Y), (both,))) == [
        "product: x (2 x 3) and tall (3 x 1) cannot lie side by side, their rows differ"
    ]
