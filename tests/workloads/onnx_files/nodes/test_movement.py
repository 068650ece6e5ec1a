from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from onnx import helper

from specs.errors import SpecError
from specs.graph import Lookup
from workloads.onnx_files.nodes.movement import MOVEMENT_NODES

Compared = Callable[..., Any]


def numbers(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int64)


@pytest.mark.parametrize(
    ("kind", "constants", "attributes"),
    [
        ("Reshape", [numbers(4, -1)], {}),
        ("Flatten", [], {"axis": 2}),
        ("Unsqueeze", [numbers(0, 2)], {}),
        ("Transpose", [], {"perm": [2, 0, 1]}),
        ("Transpose", [], {}),
        ("Expand", [numbers(2, 2, 3, 4)], {}),
        ("Tile", [numbers(2, 1, 3)], {}),
        ("Slice", [numbers(1, -1), numbers(2, 0), numbers(0, 2), numbers(1, -2)], {}),
        ("Slice", [numbers(0), numbers(9), numbers(1)], {}),
        ("Gather", [numbers(2, 0)], {"axis": 1}),
        ("Gather", [numbers(3, 2, 1)], {"axis": 2}),
        ("Gather", [numbers(0, 1, 3)], {"axis": 2}),
        ("Gather", [numbers(1, 1)], {"axis": 0}),
        ("Gather", [np.array(-1)], {"axis": 2}),
    ],
)
def test_elements_are_moved_as_onnx_does(
    compared: Compared, kind: str, constants: list[np.ndarray], attributes: Any
) -> None:
    assert kind in MOVEMENT_NODES
    compared(kind, [(2, 3, 4)], *map(np.asarray, constants), **attributes)


def test_a_dimension_of_one_place_is_dropped(compared: Compared) -> None:
    compared("Squeeze", [(2, 1, 4)], numbers(1))


@pytest.mark.parametrize(
    ("kind", "mode"),
    [("DepthToSpace", "DCR"), ("DepthToSpace", "CRD"), ("SpaceToDepth", None)],
)
def test_depth_and_space_change_places(
    compared: Compared, kind: str, mode: str | None
) -> None:
    given = {"mode": mode} if mode else {}
    compared(kind, [(2, 8, 4, 6)], blocksize=2, **given)


@pytest.mark.parametrize("axis", [0, 1, 2, -1])
@pytest.mark.parametrize("given", [1, 2, 3])
def test_values_are_joined_along_any_axis(
    compared: Compared, axis: int, given: int
) -> None:
    shapes = []
    for size in (1, 3, 2):
        shape = [2, 3, 4]
        shape[axis] = size
        shapes.append(tuple(shape))
    compared("Concat", shapes, given=given, axis=axis)


def test_a_split_moves_nothing_by_itself(compared: Compared) -> None:
    read = compared("Split", [(2, 5, 4)], numbers(2, 3), axis=1, outputs=2)
    # Each output has its own order of elements, which is what moves them.
    assert len(read.operators) == 2
    compared("Split", [(6, 4)], outputs=3, num_outputs=3)


@pytest.mark.parametrize("factor", [1, 2, 3])
@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"},
        {"coordinate_transformation_mode": "pytorch_half_pixel"},
    ],
)
def test_places_are_repeated_by_whole_factors(
    compared: Compared, factor: int, attributes: dict[str, str]
) -> None:
    none, scales = np.zeros(0, np.float32), np.array([1, 1, 2, factor], np.float32)
    compared("Resize", [(1, 2, 3, 4)], none, scales, **attributes)
    compared("Upsample", [(1, 2, 3, 4)], scales, version=9)


def test_other_ways_of_resizing_are_refused(compared: Compared) -> None:
    none = np.zeros(0, np.float32)
    half = np.array([1, 1, 1.5, 2], np.float32)
    with pytest.raises(SpecError, match=r"it \(Resize\) resizes by nearest of half"):
        compared("Resize", [(1, 2, 4, 4)], none, half)
    twice = np.array([1, 1, 2, 2], np.float32)
    with pytest.raises(SpecError, match="resizes by linear of half_pixel"):
        compared("Resize", [(1, 2, 4, 4)], none, twice, mode="linear")


def test_a_reshape_of_a_whole_tensor_moves_nothing(compared: Compared) -> None:
    read = compared("Reshape", [(2, 3, 4)], numbers(6, 4))
    assert [each.function for each in read.operators] == ["copy"]


def test_rows_of_a_table_are_looked_up(
    make: Callable[..., Any], compared_whole: Compared
) -> None:
    random = np.random.default_rng(1)
    table = random.standard_normal((9, 6)).astype(np.float32)
    rows = random.integers(0, 9, (2, 5))
    node = helper.make_node("Gather", ["table", "rows"], ["y"], name="it")
    model = make([node], {"rows": rows}, {"table": table}, ["y"])
    (lookup,) = compared_whole(model, {"rows": rows}).operators
    assert isinstance(lookup, Lookup)


def test_what_is_not_modelled_is_refused_with_its_node(compared: Compared) -> None:
    with pytest.raises(SpecError, match=r"it: it \(Gather\) gathers 67 places"):
        compared("Gather", [(70, 2)], numbers(*range(66), 0))


def test_rows_that_are_known_only_as_it_runs_are_those_of_a_table(
    compared: Compared,
) -> None:
    with pytest.raises(SpecError, match="rows of a constant table"):
        compared("Gather", [(4, 3)], numbers(1, 2), given=2)
