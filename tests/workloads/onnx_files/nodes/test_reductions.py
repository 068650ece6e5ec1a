from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from specs.errors import SpecError
from workloads.onnx_files.nodes.reductions import REDUCTION_NODES

Compared = Callable[..., Any]


@pytest.mark.parametrize("kind", ["ReduceMax", "ReduceMean", "ReduceSum"])
@pytest.mark.parametrize("axes", [[0], [1], [2], [0, 2], [-1, 1]])
@pytest.mark.parametrize("keepdims", [0, 1])
def test_reductions_are_those_of_onnx(
    compared: Compared, kind: str, axes: list[int], keepdims: int
) -> None:
    assert kind in REDUCTION_NODES
    compared(kind, [(2, 3, 4)], np.array(axes), keepdims=keepdims)


def test_without_axes_all_are_reduced_or_none(compared: Compared) -> None:
    compared("ReduceSum", [(2, 3, 4)])
    compared("ReduceSumSquare", [(2, 3, 4)])
    compared("ReduceSum", [(2, 3, 4)], noop_with_empty_axes=1)


@pytest.mark.parametrize(
    "attributes",
    [
        {"kernel_shape": [2, 3]},
        {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]},
        {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1},
        {"kernel_shape": [3, 2], "auto_pad": "SAME_UPPER"},
        {"kernel_shape": [2, 2], "dilations": [2, 2]},
    ],
)
@pytest.mark.parametrize("kind", ["MaxPool", "AveragePool"])
def test_pools_are_those_of_onnx(
    compared: Compared, kind: str, attributes: dict[str, Any]
) -> None:
    compared(kind, [(2, 3, 6, 8)], **attributes)


def test_places_that_were_added_may_count(compared: Compared) -> None:
    kernel = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}
    compared("AveragePool", [(1, 2, 5, 5)], count_include_pad=1, **kernel)


@pytest.mark.parametrize("kind", ["GlobalAveragePool", "GlobalMaxPool"])
def test_a_pool_of_all_places_is_that_of_onnx(compared: Compared, kind: str) -> None:
    compared(kind, [(2, 3, 4, 5)])


def test_the_places_of_the_largest_are_not_known(compared: Compared) -> None:
    with pytest.raises(SpecError, match=r"it \(MaxPool\) only its first output"):
        compared("MaxPool", [(1, 1, 4, 4)], kernel_shape=[2, 2], outputs=2)
