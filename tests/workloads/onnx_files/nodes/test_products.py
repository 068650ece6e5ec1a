from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from onnx import helper

from specs.graph import Matmul, Role
from workloads.onnx_files.nodes.products import PRODUCT_NODES

Compared = Callable[..., Any]


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ((4, 5), (5, 3)),
        ((2, 3, 4, 5), (5, 3)),
        ((2, 4, 5), (2, 5, 3)),
        ((2, 4, 5), (1, 5, 3)),
        ((2, 1, 4, 5), (3, 5, 6)),
        ((4, 5), (2, 5, 3)),
        ((5,), (5, 3)),
        ((2, 4, 5), (5,)),
        ((5,), (5,)),
    ],
)
@pytest.mark.parametrize("given", [1, 2])
def test_products_are_those_of_onnx(
    compared: Compared, left: tuple[int, ...], right: tuple[int, ...], given: int
) -> None:
    assert set(PRODUCT_NODES) == {"Gemm", "MatMul"}
    compared("MatMul", [left, right], given=given)


@pytest.mark.parametrize("left", [0, 1])
@pytest.mark.parametrize("right", [0, 1])
def test_operands_of_a_gemm_may_be_transposed_and_scaled(
    compared: Compared, left: int, right: int
) -> None:
    shapes = [(5, 4) if left else (4, 5), (3, 5) if right else (5, 3), (3,)]
    read = compared("Gemm", shapes, transA=left, transB=right, alpha=0.5, beta=2.0)
    (product,) = [each for each in read.operators if isinstance(each, Matmul)]
    roles = {tensor.name: tensor.role for tensor in read.tensors}
    assert roles[product.right] is Role.WEIGHTS


def test_weights_on_the_left_are_installed_as_well(
    make: Callable[..., Any], compared_whole: Compared
) -> None:
    random = np.random.default_rng(1)
    weights = random.standard_normal((3, 5)).astype(np.float32)
    value = random.standard_normal((2, 5, 4)).astype(np.float32)
    node = helper.make_node("MatMul", ["w", "x"], ["y"], name="it")
    model = make([node], {"x": value}, {"w": weights}, ["y"])
    read = compared_whole(model, {"x": value})
    (product,) = [each for each in read.operators if isinstance(each, Matmul)]
    roles = {tensor.name: tensor.role for tensor in read.tensors}
    assert roles[product.right] is Role.WEIGHTS


def test_a_bias_is_added_as_results_leave_the_product(compared: Compared) -> None:
    read = compared("Gemm", [(4, 5), (5, 3), (3,)])
    product, bias = read.operators
    assert isinstance(product, Matmul)
    assert bias.chained
