from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from specs.errors import SpecError
from workloads.onnx_files.nodes.elementwise import ELEMENTWISE_NODES

Compared = Callable[..., Any]
ONE = ["Abs", "Cos", "Erf", "Exp", "Relu", "Sigmoid", "Sin", "Tanh", "Softplus"]
ONE += ["Gelu", "HardSwish", "Identity", "Neg", "Elu", "Selu", "HardSigmoid"]
TWO = ["Add", "Div", "Max", "Min", "Mul", "Sub", "Sum", "Mean", "PRelu"]


@pytest.mark.parametrize("kind", ONE)
def test_a_function_of_one_operand_is_that_of_onnx(
    compared: Compared, kind: str
) -> None:
    assert kind in ELEMENTWISE_NODES
    compared(kind, [(2, 3, 4)])


@pytest.mark.parametrize("kind", ["Log", "Sqrt", "Reciprocal"])
def test_a_function_of_positive_numbers_is_that_of_onnx(
    compared: Compared, kind: str
) -> None:
    compared(kind, [(2, 3, 4)], positive=True)


@pytest.mark.parametrize("kind", TWO)
@pytest.mark.parametrize("other", [(2, 3, 4), (4,), (3, 1), (1,), (2, 1, 1)])
def test_operands_are_broadcast_as_onnx_does(
    compared: Compared, kind: str, other: tuple[int, ...]
) -> None:
    compared(kind, [(2, 3, 4), other])
    compared(kind, [(2, 3, 4), other], given=2)


def test_what_is_spread_over_both_operands_is_larger_than_either(
    compared: Compared,
) -> None:
    compared("Sub", [(3, 1), (1, 4)], given=2)
    compared("Sum", [(2, 3), (3,), (2, 1)], given=3)


@pytest.mark.parametrize(
    ("kind", "attributes"),
    [
        ("Elu", {"alpha": 2.0}),
        ("Gelu", {"approximate": "tanh"}),
        ("LeakyRelu", {"alpha": 0.2}),
        ("LeakyRelu", {"alpha": 3.0}),
        ("HardSigmoid", {"alpha": 0.5, "beta": 0.6}),
        ("Swish", {"alpha": 0.5, "version": 24}),
        ("Swish", {"version": 24}),
        ("Clip", {"min": -0.5, "max": 0.5, "version": 6}),
    ],
)
def test_a_setting_of_a_function_is_followed(
    compared: Compared, kind: str, attributes: dict[str, Any]
) -> None:
    compared(kind, [(2, 3, 4)], **attributes)


def test_numbers_are_cut_off_at_constants(compared: Compared) -> None:
    low, high = np.float32(-0.5), np.float32(0.25)
    compared("Clip", [(5, 4)], np.array(low), np.array(high))


def test_a_power_is_that_of_positive_numbers(compared: Compared) -> None:
    compared("Pow", [(2, 3), (3,)], positive=True)


def test_a_choice_takes_one_of_two(compared: Compared) -> None:
    where = np.array([[True, False, True]])
    compared(
        "Where",
        [],
        where,
        np.ones((2, 3), np.float32),
        np.array([5], np.float32),
        given=3,
    )


@pytest.mark.parametrize("kind", ["Less", "Greater", "LessOrEqual", "GreaterOrEqual"])
def test_a_comparison_is_that_of_onnx(compared: Compared, kind: str) -> None:
    left = np.array([[1, 2, 3], [3, 2, 1]], np.float32)
    compared(kind, [], left, np.array([2, 2, 2], np.float32))


@pytest.mark.parametrize("kind", ["And", "Or"])
def test_truth_values_are_joined_as_onnx_does(compared: Compared, kind: str) -> None:
    left, right = np.array([True, True, False, False]), np.array([True, False] * 2)
    compared(kind, [], left, right, given=2)


def test_what_would_cut_numbers_off_is_refused(compared: Compared) -> None:
    whole = np.array([4, 5])
    with pytest.raises(SpecError, match=r"it \(Div\) divides whole numbers"):
        compared("Div", [], whole, whole)
    with pytest.raises(SpecError, match=r"it \(Cast\) turns numbers into integers"):
        compared("Cast", [(3,)], to=7)


def test_a_dropout_drops_nothing_unless_it_trains(compared: Compared) -> None:
    half = np.array(0.5, np.float32)
    compared("Dropout", [(3, 4)], half)
    with pytest.raises(SpecError, match="drops elements in training"):
        compared("Dropout", [(3, 4)], half, np.array(True))
    with pytest.raises(SpecError, match="only its first output is known"):
        compared("Dropout", [(3, 4)], half, outputs=2)
