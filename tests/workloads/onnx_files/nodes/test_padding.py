from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from onnx import helper

from specs.errors import SpecError
from workloads.onnx_files.nodes.padding import PADDING_NODES

Compared = Callable[..., Any]


def numbers(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int64)


def test_places_of_one_number_are_added(compared: Compared) -> None:
    assert set(PADDING_NODES) == {"Pad"}
    compared("Pad", [(2, 3, 4)], numbers(1, 0, 2, 0, 1, 3), np.array(7, np.float32))
    zero = np.array(0, np.float32)
    compared("Pad", [(2, 3, 4)], numbers(1, 2), zero, numbers(-1))


@pytest.mark.parametrize("mode", ["reflect", "edge", "wrap"])
@pytest.mark.parametrize("pads", [(0, 1, 2, 0, 2, 1), (1, 0, 0, 0, 2, 0)])
def test_a_value_goes_on_as_onnx_says(
    compared: Compared, mode: str, pads: tuple[int, ...]
) -> None:
    compared("Pad", [(2, 3, 4)], numbers(*pads), mode=mode)


def test_a_pad_of_less_than_nothing_cuts_off(
    make: Callable[..., Any], found: Callable[..., Any]
) -> None:
    value = np.arange(12.0, dtype=np.float32).reshape(3, 4)
    node = helper.make_node("Pad", ["x", "pads"], ["y"])
    model = make([node], {"x": value}, {"pads": numbers(-1, 0, 0, -2)}, ["y"])
    made = found(model, {"x": value})["y"]
    np.testing.assert_array_equal(made, value[1:, :2])


def test_more_places_than_there_are_are_refused(compared: Compared) -> None:
    compared("Pad", [(2, 3)], numbers(0, 5, 0, 0), mode="edge")
    with pytest.raises(SpecError, match=r"it \(Pad\) adds more places in mode wrap"):
        compared("Pad", [(2, 3)], numbers(0, 5, 0, 0), mode="wrap")
