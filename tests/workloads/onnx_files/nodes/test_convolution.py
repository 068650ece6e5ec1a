from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from onnx import helper

from specs.errors import SpecError
from specs.graph import Matmul
from workloads.onnx_files.nodes.convolution import CONVOLUTION_NODES

Compared = Callable[..., Any]


@pytest.mark.parametrize(
    ("value", "weights", "attributes"),
    [
        ((2, 3, 6, 5), (4, 3, 3, 2), {}),
        ((2, 3, 6, 5), (4, 3, 3, 2), {"pads": [1, 0, 2, 1], "strides": [2, 1]}),
        ((1, 3, 9, 9), (4, 3, 3, 3), {"dilations": [2, 3]}),
        ((1, 3, 7, 8), (4, 3, 3, 3), {"auto_pad": "SAME_UPPER", "strides": [2, 2]}),
        ((1, 3, 7, 8), (4, 3, 3, 3), {"auto_pad": "SAME_LOWER", "strides": [2, 2]}),
        ((2, 3, 4, 5), (6, 3, 1, 1), {}),
        ((2, 3, 4, 5), (6, 3, 1, 1), {"strides": [2, 2]}),
        ((2, 4, 6, 6), (6, 2, 3, 3), {"group": 2, "pads": [1, 1, 1, 1]}),
        ((2, 4, 6, 6), (4, 1, 3, 3), {"group": 4}),
        ((2, 4, 6, 6), (8, 1, 3, 3), {"group": 4, "pads": [0, 1, 1, 0]}),
        ((2, 3, 8), (4, 3, 3), {"pads": [1, 1]}),
        ((1, 2, 4, 5, 3), (3, 2, 2, 3, 1), {}),
    ],
)
def test_convolutions_are_those_of_onnx(
    compared: Compared,
    value: tuple[int, ...],
    weights: tuple[int, ...],
    attributes: dict[str, Any],
) -> None:
    assert set(CONVOLUTION_NODES) == {"Conv", "ConvTranspose"}
    compared("Conv", [value, weights], **attributes)
    compared("Conv", [value, weights, weights[:1]], **attributes)


@pytest.mark.parametrize(
    ("value", "weights", "attributes"),
    [
        ((1, 3, 4, 5), (3, 2, 3, 2), {}),
        ((2, 3, 4, 5), (3, 2, 3, 3), {"strides": [2, 3], "pads": [1, 0, 2, 1]}),
        ((1, 3, 4, 4), (3, 2, 3, 3), {"strides": [3, 2], "output_padding": [1, 1]}),
        ((1, 3, 4, 4), (3, 2, 3, 3), {"dilations": [2, 2]}),
        ((1, 3, 4, 4), (3, 2, 3, 3), {"auto_pad": "SAME_UPPER", "strides": [2, 2]}),
        ((1, 2, 5), (2, 3, 4), {"strides": [2]}),
    ],
)
def test_transposed_convolutions_are_those_of_onnx(
    compared: Compared,
    value: tuple[int, ...],
    weights: tuple[int, ...],
    attributes: dict[str, Any],
) -> None:
    compared("ConvTranspose", [value, weights], **attributes)


def test_what_the_evaluator_has_not_of_transposed_convolutions_follows_from_others(
    make: Callable[..., Any], found: Callable[..., Any]
) -> None:
    random = np.random.default_rng(1)
    value = random.standard_normal((1, 4, 3, 3)).astype(np.float32)
    weights = random.standard_normal((4, 2, 3, 3)).astype(np.float32)

    def made(channels: slice, **attributes: Any) -> np.ndarray:
        given = {"x": value[:, channels]}
        node = helper.make_node("ConvTranspose", ["x", "w"], ["y"], **attributes)
        model = make([node], given, {"w": weights[channels]}, ["y"])
        return np.ravel(found(model, given)["y"])

    low, high, whole = slice(2), slice(2, 4), slice(4)
    together = made(whole, group=2)
    np.testing.assert_allclose(together, np.hstack([made(low), made(high)]))
    sized = made(whole, strides=[2, 2], output_shape=[7, 6])
    np.testing.assert_allclose(sized, made(whole, strides=[2, 2], pads=[0, 1, 0, 0]))
    larger = made(whole, output_shape=[6, 5])
    rows = larger.reshape(2, 6, 5)
    np.testing.assert_allclose(rows[:, :5].ravel(), made(whole))
    assert not rows[:, 5].any()


def test_a_convolution_is_one_product_of_windows_and_weights(
    compared: Compared,
) -> None:
    read = compared("Conv", [(2, 3, 6, 5), (4, 3, 3, 2)])
    windows, product, output = read.operators
    tensors = {tensor.name: tensor for tensor in read.tensors}
    assert isinstance(product, Matmul)
    # 2 samples of 4 x 4 windows, each of 3 x 2 places of 3 channels.
    assert tensors[windows.outputs[0]].elements == 2 * 4 * 4 * 3 * 2 * 3
    assert tensors[product.right].shape == "18 x 4"
    # The file has channels before places, and the product after them.
    assert output.moves


def test_a_convolution_of_single_places_needs_no_windows(compared: Compared) -> None:
    read = compared("Conv", [(1, 3, 4, 5), (6, 3, 1, 1)])
    names = [each.name for each in read.operators]
    assert not any("windows" in name for name in names)


def test_channels_with_weights_of_their_own_need_no_product(
    compared: Compared,
) -> None:
    read = compared("Conv", [(1, 4, 6, 6), (4, 1, 3, 3)], group=4)
    assert not any(isinstance(each, Matmul) for each in read.operators)


def test_weights_that_are_no_constants_are_refused(compared: Compared) -> None:
    with pytest.raises(SpecError, match=r"it \(Conv\) convolves with weights that"):
        compared("Conv", [(1, 3, 4, 5), (6, 3, 1, 1)], given=2)
