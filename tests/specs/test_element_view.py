import numpy as np
import pytest

from specs.element_view import Axis, Loop, View


def taken(view: View, elements: np.ndarray) -> list[float]:
    places, inside = view.places()
    return list(np.where(inside, elements[places], view.fill))


def test_two_loops_in_the_other_order_transpose_a_matrix() -> None:
    transposed = View(loops=(Loop(size=3, stride=1), Loop(size=2, stride=3)))
    assert transposed.elements == 6
    assert taken(transposed, np.arange(6)) == [0, 3, 1, 4, 2, 5]


def test_a_loop_without_a_stride_repeats_an_element() -> None:
    repeated = View(loops=(Loop(size=2, stride=1), Loop(size=3, stride=0)), start=1)
    assert taken(repeated, np.arange(4)) == [1, 1, 1, 2, 2, 2]


def test_windows_beyond_the_edge_of_an_axis_have_the_fill_value() -> None:
    # Three places in windows of two, the first window begins before the first place.
    windows = View(
        loops=(Loop(size=4, stride=1, axis=0), Loop(size=2, stride=1, axis=0)),
        axes=(Axis(size=3, stride=1, start=-1),),
        fill=-9,
    )
    assert taken(windows, np.array([5, 6, 7])) == [-9, 5, 5, 6, 6, 7, 7, -9]
    assert list(windows.faults(3)) == []


def test_samples_of_a_batch_follow_each_other() -> None:
    backwards = View(loops=(Loop(size=2, stride=-1),), start=1)
    assert taken(backwards.repeated(2, 2), np.arange(4)) == [1, 0, 3, 2]
    shared = backwards.repeated(2, 0)
    assert taken(shared, np.arange(2)) == [1, 0, 1, 0]


@pytest.mark.parametrize(
    ("view", "fault"),
    [
        (View(loops=(Loop(size=4, stride=1),)), "reaches elements 0 to 3 of 3"),
        (View(loops=(Loop(size=2, stride=-1),)), "reaches elements -1 to 0 of 3"),
        (
            View(
                loops=(Loop(size=9, stride=1, axis=0),),
                axes=(Axis(size=4, stride=1),),
            ),
            "reaches elements 0 to 3 of 3",
        ),
        (View(loops=(Loop(size=2, stride=1, axis=1),)), "along axis 1 of 0"),
    ],
)
def test_a_view_of_elements_that_are_not_there_has_a_fault(
    view: View, fault: str
) -> None:
    assert fault in "; ".join(view.faults(3))
