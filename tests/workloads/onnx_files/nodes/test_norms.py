from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from onnx import helper

from specs.errors import SpecError
from workloads.onnx_files.nodes.norms import NORM_NODES

Compared = Callable[..., Any]


@pytest.mark.parametrize("axis", [0, 1, 2, -1])
@pytest.mark.parametrize("kind", ["Softmax", "LogSoftmax"])
def test_softmax_is_that_of_onnx_along_any_axis(
    compared: Compared, kind: str, axis: int
) -> None:
    assert kind in NORM_NODES
    compared(kind, [(2, 3, 4)], axis=axis)


def test_softmax_of_old_files_is_of_a_matrix(
    make: Callable[..., Any], found: Callable[..., Any]
) -> None:
    # The evaluator takes one axis of any file; the text of version 11 takes all behind.
    value = np.random.default_rng(1).standard_normal((2, 3, 4))
    raised = np.exp(value.reshape(2, 12))
    wanted = raised / raised.sum(axis=1, keepdims=True)
    node = helper.make_node("Softmax", ["x"], ["y"])
    model = make([node], {"x": value.astype(np.float32)}, {}, ["y"], 11)
    np.testing.assert_allclose(found(model, {"x": value})["y"].ravel(), wanted.ravel())


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_norms_of_rows_are_those_of_onnx(compared: Compared, axis: int) -> None:
    shape = (2, 3, 4)
    weights = shape[axis:]
    compared("LayerNormalization", [shape, weights], axis=axis, epsilon=0.1)
    compared("LayerNormalization", [shape, weights, weights], axis=axis)
    compared("RMSNormalization", [shape, weights], axis=axis, epsilon=0.1)


def test_a_batch_norm_is_a_factor_and_a_shift(compared: Compared) -> None:
    shapes = [(2, 3, 4, 5), (3,), (3,), (3,), (3,)]
    read = compared("BatchNormalization", shapes, positive=True)
    assert [each.function for each in read.operators] == ["multiply", "add"]
    with pytest.raises(SpecError, match="with numbers that are not constant"):
        compared("BatchNormalization", shapes, given=2, positive=True)


def test_norms_of_channels_are_those_of_onnx(compared: Compared) -> None:
    compared("InstanceNormalization", [(2, 4, 3, 5), (4,), (4,)])
    # A function of ONNX that is read node by node.
    compared("GroupNormalization", [(2, 4, 3, 5), (4,), (4,)], num_groups=2)


@pytest.mark.parametrize("size", [1, 2, 3])
def test_the_response_of_channels_beside_is_that_of_onnx(
    compared: Compared, size: int
) -> None:
    # The evaluator computes as many channels as there are samples.
    compared("LRN", [(5, 5, 3, 3)], size=size, alpha=0.5, beta=0.6, bias=2.0)


def test_a_mean_that_is_asked_for_is_refused(compared: Compared) -> None:
    ones = np.ones(4, np.float32)
    with pytest.raises(SpecError, match="only its first output is known"):
        compared("LayerNormalization", [(2, 4)], ones, outputs=2)
