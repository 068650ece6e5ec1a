from collections.abc import Callable

import numpy as np
import onnx
import pytest
from onnx import helper

from specs.errors import SpecError
from workloads.onnx_files.constants import (
    MOST_ELEMENTS,
    Constants,
    attributes_of,
    elements_of,
    first_number,
    is_external,
    is_whole,
    type_name,
)

Make = Callable[..., onnx.ModelProto]
X = {"x": np.ones((2, 3), np.float32)}


def test_few_numbers_are_known_and_many_are_weights(make: Make) -> None:
    few, many = np.arange(3), np.zeros(MOST_ELEMENTS + 1, np.float32)
    model = make([], X, {"few": few, "many": many}, [])
    constants = Constants(model)
    np.testing.assert_array_equal(constants.numbers("few"), few)
    assert constants.numbers("many") is None
    assert constants.numbers("x") is None
    assert constants.stored("many").size == many.size
    assert [elements_of(each) for each in model.graph.initializer] == [3, many.size]
    assert not is_external(model.graph.initializer[0])


def test_what_follows_from_constants_is_evaluated_once(make: Make) -> None:
    node = helper.make_node("Add", ["one", "two"], ["three"])
    model = make([node], X, {"one": np.array([1]), "two": np.array([2])}, ["three"])
    constants = Constants(model)
    assert constants.fold(model, node, {}) is None
    found = constants.fold(model, node, {"three": (1,)})
    assert found is not None
    assert constants.numbers("three") == np.array([3])


def test_a_shape_is_known_without_the_value(make: Make) -> None:
    node = helper.make_node("Shape", ["x"], ["s"], start=1)
    model = make([node], X, {}, ["s"])
    found = Constants(model).fold(model, node, {"x": (2, 3)})
    assert found is not None
    assert found["s"].tolist() == [3]
    assert Constants(model).fold(model, node, {}) is None


def test_random_numbers_and_inputs_are_not_known(make: Make) -> None:
    model = make([], X, {"shape": np.array([2])}, [])
    drawn = helper.make_node("RandomUniform", [], ["r"], shape=[2])
    added = helper.make_node("Add", ["x", "x"], ["y"])
    for node in (drawn, added):
        assert Constants(model).fold(model, node, {"r": (2,), "y": (2, 3)}) is None


def test_types_and_attributes_are_those_of_the_file() -> None:
    assert type_name(onnx.TensorProto.INT64) == "INT64"
    assert is_whole(onnx.TensorProto.INT64)
    assert is_whole(onnx.TensorProto.BOOL)
    assert not is_whole(onnx.TensorProto.FLOAT16)
    node = helper.make_node("Pad", ["x"], ["y"], mode="edge", pads=[1, 2])
    assert attributes_of(node) == {"mode": "edge", "pads": [1, 2]}
    assert first_number(helper.make_tensor("v", 1, [1], [2.5])) == 2.5


def test_a_tensor_without_the_numbers_of_its_shape_is_refused(make: Make) -> None:
    model = make([], X, {"few": np.arange(6)}, [])
    tensor = model.graph.initializer[0]
    tensor.dims[0] = 7
    with pytest.raises(SpecError, match=r"'few' does not hold .* shape \(7,\)"):
        Constants(model).stored("few")
    tensor.data_type = 99
    with pytest.raises(SpecError, match="'few' does not hold"):
        first_number(tensor)
    with pytest.raises(SpecError, match="'' holds no number"):
        first_number(helper.make_tensor("", onnx.TensorProto.FLOAT, [0], []))


def test_an_attribute_without_a_type_is_refused() -> None:
    node = helper.make_node("Transpose", ["x"], ["y"], perm=[1, 0])
    assert attributes_of(node) == {"perm": [1, 0]}
    node.attribute[0].type = onnx.AttributeProto.UNDEFINED
    with pytest.raises(SpecError, match="'perm' of a node Transpose has no type"):
        attributes_of(node)
