"""Checks of a graph, each on the few tensors and operators that it is about."""

from dataclasses import replace

import pytest

from specs.errors import SpecError
from specs.graph import Role
from workloads.attributes import NormAttributes, ProductAttributes
from workloads.graph_validation import check_layer, check_operators, check_tensors
from workloads.operators import Function, GraphOperator, GraphTensor

X = GraphTensor(name="x", rows=6, columns=3, role=Role.INPUT)
W = GraphTensor(name="w", rows=4, columns=3, role=Role.WEIGHTS)
Y = GraphTensor(name="y", rows=6, columns=4)
PRODUCT = GraphOperator(
    name="p",
    function=Function.PRODUCT,
    inputs=("x", "w"),
    outputs=("y",),
    attributes=ProductAttributes(),
)


def operators(*made: GraphOperator, tensors: tuple[GraphTensor, ...] = ()) -> None:
    check_operators(made, {each.name: each for each in (X, W, Y, *tensors)})


def test_names_that_tell_layers_apart_are_accepted_in_ascending_layers() -> None:
    placed = replace(W, name="layers.{layer}.w")
    operator = replace(PRODUCT, name="layers.{layer}.p")
    check_layer("block", (0, 2, 5), (placed,), (operator,))


@pytest.mark.parametrize("layers", [(1, 0), (1, 1), (-1, 0)])
def test_layers_that_do_not_ascend_from_0_are_refused(layers: tuple[int, ...]) -> None:
    with pytest.raises(SpecError, match=r"block b: layers .* are not ascending"):
        check_layer("b", layers, (), ())


def test_a_tensor_and_an_operator_must_be_named_for_their_layer() -> None:
    with pytest.raises(SpecError, match="'w' is the same in each of 2 layers; add"):
        check_layer("block", (0, 1), (W,), ())
    with pytest.raises(SpecError, match="'p' is the same in each of 1 layers; add"):
        check_layer("block", (3,), (), (PRODUCT,))


def test_a_block_that_is_there_once_needs_no_layer_in_its_names() -> None:
    check_layer("block", (), (W,), (PRODUCT,))


def test_a_tensor_is_declared_once_and_not_empty() -> None:
    check_tensors((X, W, Y))
    with pytest.raises(SpecError, match="tensor 'w' is declared twice"):
        check_tensors((X, W, Y, replace(W, rows=5)))
    for empty in (replace(Y, rows=0), replace(Y, columns=0)):
        with pytest.raises(SpecError, match=r"tensor 'y' is empty: (0 x 4|6 x 0)"):
            check_tensors((X, empty))


def test_a_copy_is_of_weights_of_its_size_wherever_these_are_declared() -> None:
    copy = replace(W, name="c", copy_of="w")
    check_tensors((copy, W))
    for wrong in (
        replace(copy, copy_of="unknown"),
        replace(copy, rows=5),
        replace(copy, role=Role.ACTIVATION),
    ):
        with pytest.raises(SpecError, match="tensor 'c' is no copy of "):
            check_tensors((wrong, W))


def test_a_result_is_made_once_from_what_is_there() -> None:
    operators(PRODUCT)
    with pytest.raises(SpecError, match="p: tensor 'z' is not declared"):
        operators(replace(PRODUCT, inputs=("z", "w")))
    with pytest.raises(SpecError, match="p: 'y' is read before it is made"):
        operators(replace(PRODUCT, inputs=("y", "w")))
    with pytest.raises(SpecError, match="p: makes 'x', which is input"):
        operators(replace(PRODUCT, outputs=("x",)))
    with pytest.raises(SpecError, match="q: 'y' is made twice"):
        operators(PRODUCT, replace(PRODUCT, name="q"))
    with pytest.raises(SpecError, match="no operator makes 'z'"):
        operators(PRODUCT, tensors=(replace(Y, name="z"),))


def test_an_operator_has_the_attributes_of_its_function() -> None:
    with pytest.raises(SpecError, match="p: product needs ProductAttributes"):
        operators(replace(PRODUCT, attributes=NormAttributes(epsilon=0)))
    with pytest.raises(SpecError, match="p: router needs no attributes"):
        operators(replace(PRODUCT, function=Function.ROUTER))


def test_each_matrix_fits_the_operand_and_its_result() -> None:
    narrow = replace(W, name="n", columns=2)
    with pytest.raises(SpecError, match="p: 6 x 3 times the transpose of 'n', 4 x 2"):
        operators(replace(PRODUCT, inputs=("x", "n")), tensors=(narrow,))
    tall = replace(W, name="t", rows=5)
    with pytest.raises(SpecError, match="'t', 5 x 3, is not 6 x 4"):
        operators(replace(PRODUCT, inputs=("x", "t")), tensors=(tall,))
    with pytest.raises(SpecError, match="p: 2 matrices make 1 results"):
        operators(replace(PRODUCT, inputs=("x", "w", "w")))
