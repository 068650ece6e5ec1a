from collections.abc import Callable
from typing import Any

import pytest

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
    assert set(CONVOLUTION_NODES) == {"Conv"}
    compared("Conv", [value, weights], **attributes)
    compared("Conv", [value, weights, weights[:1]], **attributes)


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
