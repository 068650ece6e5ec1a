import numpy as np
import pytest

from specs.element_view import Loop
from workloads.onnx_files.nodes.node import UnreadNodeError
from workloads.onnx_files.nodes.windows import window_view, windows_of
from workloads.onnx_files.values import whole


def test_windows_have_the_elements_of_their_places() -> None:
    value = whole("x", (1, 1, 3, 3), constant=False)
    windows = windows_of({}, (3, 3), (2, 2), (2, 2))
    loop = (Loop(size=1, stride=9),)
    view = window_view(value, windows, loop, channels_first=False)
    places, inside = view.places()
    assert inside.all()
    assert places.reshape(4, 4).tolist()[0] == [0, 1, 3, 4]
    assert places.reshape(4, 4).tolist()[3] == [4, 5, 7, 8]


def test_a_window_of_one_place_is_trivial_unless_it_skips_or_is_added_to() -> None:
    assert windows_of({}, (3, 3), (1, 1), (3, 3)).trivial
    assert not windows_of({"strides": [2, 2]}, (3, 3), (1, 1), (2, 2)).trivial
    assert not windows_of({"pads": [0, 0, 0, 1]}, (3, 3), (1, 1), (3, 4)).trivial


def test_places_beyond_the_edge_count_only_if_they_were_added() -> None:
    windows = windows_of({"pads": [1, 1]}, (3,), (2,), (4,))
    assert windows.counts((3,), padded=False).tolist() == [1, 2, 2, 1]
    assert windows.counts((3,), padded=True).tolist() == [2, 2, 2, 2]
    assert np.prod(windows.outputs) == 4


def test_an_unknown_kind_of_padding_is_refused() -> None:
    with pytest.raises(UnreadNodeError, match="pads as ROUND"):
        windows_of({"auto_pad": "ROUND"}, (3,), (2,), (2,))
