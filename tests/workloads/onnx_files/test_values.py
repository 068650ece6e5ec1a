from typing import Any

import numpy as np
import pytest

from workloads.onnx_files.values import Value, dims_of, inverse, whole


def numbers_of(value: Value) -> np.ndarray:
    return value.numbers(np.arange(value.elements))


def test_a_whole_value_has_its_elements_in_order() -> None:
    value = whole("x", (2, 3), constant=False)
    assert value.in_order
    assert value.order == (0, 1)
    assert numbers_of(value).tolist() == [[0, 1, 2], [3, 4, 5]]


def test_a_transposed_value_knows_the_order_of_its_base() -> None:
    value = whole("x", (2, 3, 4), constant=False).transposed((2, 0, 1))
    assert not value.in_order
    assert value.transposed(value.order).in_order
    assert value.order_with_last(1)[-1] == 1
    expected = np.arange(24).reshape(2, 3, 4).transpose(2, 0, 1)
    np.testing.assert_array_equal(numbers_of(value), expected)


def test_a_dimension_of_one_place_is_of_no_matter_to_the_order() -> None:
    value = whole("x", (1, 3, 1, 4), constant=False)
    for order in ((2, 1, 0, 3), (1, 0, 3, 2)):
        moved = value.transposed(order)
        assert moved.in_order
        assert moved.transposed(moved.order).in_order


@pytest.mark.parametrize("cut", [np.s_[:, 1:], np.s_[1], np.s_[::-1], np.s_[:, ::2]])
def test_the_view_of_a_part_takes_its_elements(cut: Any) -> None:
    value = whole("x", (3, 4), constant=False)
    part = value.of(value.cells[cut])
    assert not part.in_order
    places, inside = part.view().places()
    assert inside.all()
    np.testing.assert_array_equal(places, numbers_of(part).ravel())
    assert list(part.view().faults(12)) == []


def test_a_reshape_that_would_move_elements_is_none() -> None:
    value = whole("x", (2, 3), constant=False)
    assert value.reshaped((3, 2)) is not None
    assert value.transposed((1, 0)).reshaped((6,)) is None


def test_loops_that_follow_each_other_are_one() -> None:
    view = whole("x", (2, 3, 4), constant=False).transposed((2, 0, 1)).view()
    assert [(loop.size, loop.stride) for loop in view.loops] == [(4, 1), (6, 4)]


def test_matrices_of_a_shape_are_its_last_two_dimensions() -> None:
    assert dims_of(()) == (1, 1, 1)
    assert dims_of((5,)) == (1, 1, 5)
    assert dims_of((2, 3, 4, 5)) == (6, 4, 5)
    assert inverse((2, 0, 1)) == (1, 2, 0)
