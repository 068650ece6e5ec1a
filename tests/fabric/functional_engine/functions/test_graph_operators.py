from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from chip.dataflow import Pass
from chip.element_numbering import Numbering, in_order
from fabric.functional_engine.caches import KeyValueCaches
from fabric.functional_engine.call import Call, Operand
from fabric.functional_engine.functions.graph_operators import (
    lookup_rows,
    matrix_product,
    paired_product,
    total,
    vector,
)
from fabric.functional_engine.graph_settings import GraphSettings, ValueShape
from fabric.functional_engine.memory import Array
from fabric.functional_engine.settings import OperatorSettings
from specs.errors import SpecError

NONE = np.zeros(0)
A = np.arange(6.0).reshape(2, 3)
W = np.arange(12.0).reshape(3, 4) - 5


def operand(
    name: str, first: int, array: Array, *, parts: tuple[int, int] = (0, 1)
) -> Operand:
    return Operand(name, first, first + array.shape[-1], *parts, array)


def weights(name: str, rows: tuple[int, int], columns: tuple[int, int]) -> Operand:
    return Operand(name, *rows, *columns, W[slice(*rows), slice(*columns)])


def called(
    graph: GraphSettings,
    reads: Sequence[Operand],
    writes: Mapping[str, tuple[int, int]],
    stored: Sequence[Operand] = (),
) -> Call:
    return Call(
        chip=0,
        name="it",
        settings=OperatorSettings(graph=graph),
        passed=Pass(1, 1, 1, 1),
        weights=tuple(stored),
        reads=tuple(reads),
        writes=tuple(
            Operand(name, *edges, 0, 1, NONE) for name, edges in writes.items()
        ),
        members=1,
        caches=KeyValueCaches(),
        cache=None,
    )


def test_a_chip_multiplies_its_rows_and_columns() -> None:
    graph = GraphSettings(
        inputs=("a", "w"), shapes={"a": ValueShape(2, 3, Numbering(2, 3))}
    )
    # Columns 1 and 2 of the left operand, each of two rows.
    left = operand("a", 2, A[:, 1:].T.reshape(-1))
    call = called(graph, [left], {"c": (4, 8)}, [weights("w", (1, 3), (2, 4))])
    (made,) = matrix_product(call)
    np.testing.assert_array_equal(made, (A[:, 1:] @ W[1:, 2:]).T.reshape(-1))


def test_columns_of_blocks_are_counted_as_they_are_stored() -> None:
    graph = GraphSettings(
        inputs=("a", "w"),
        shapes={"a": ValueShape(2, 3, Numbering(2, 3))},
        blocks=2,
    )
    left = operand("a", 0, A.T.reshape(-1))
    call = called(graph, [left], {"c": (0, 8)}, [weights("w", (0, 3), (0, 4))])
    (made,) = matrix_product(call)
    product = A @ W
    # Of each unit both rows, and of each row both columns of the unit.
    wanted = [product[0, :2], product[1, :2], product[0, 2:], product[1, 2:]]
    np.testing.assert_array_equal(made, np.hstack(wanted))


def test_a_sum_is_what_reading_has_joined() -> None:
    call = called(GraphSettings(inputs=()), [operand("c", 0, A[0])], {"c": (0, 3)})
    np.testing.assert_array_equal(total(call)[0], A[0])


def test_pairs_of_a_chip_are_multiplied() -> None:
    shapes = {
        "a": ValueShape(4, 3, in_order(12)),
        "b": ValueShape(6, 2, in_order(12)),
    }
    graph = GraphSettings(inputs=("a", "b"), shapes=shapes, matrices=2)
    second = [operand("a", 6, A.reshape(-1)), operand("b", 6, A.reshape(-1))]
    (made,) = paired_product(called(graph, second, {"c": (4, 8)}))
    np.testing.assert_array_equal(made, (A @ A.reshape(3, 2)).reshape(-1))


def test_a_vector_function_works_in_the_places_of_a_chip() -> None:
    by_columns = ValueShape(2, 3, Numbering(2, 3))
    graph = GraphSettings(
        inputs=("x", "bias"),
        shapes={"x": by_columns, "y": by_columns},
        kernel=lambda operands: (operands[0] + operands[1],),
    )
    bias = Operand("bias", 0, 1, 0, 3, np.array([[10.0, 20.0, 30.0]]))
    # Column 1 of both rows.
    column = operand("x", 2, A[:, 1])
    (made,) = vector(called(graph, [column], {"y": (2, 4)}, [bias]))
    np.testing.assert_array_equal(made, A[:, 1] + 20)


def test_what_is_not_read_is_no_number() -> None:
    by_columns = ValueShape(2, 3, Numbering(2, 3))
    graph = GraphSettings(
        inputs=("x",), shapes={"x": by_columns, "y": by_columns}, kernel=tuple
    )
    (made,) = vector(called(graph, [operand("x", 2, A[:, 1])], {"y": (3, 5)}))
    assert made[0] == A[1, 1]
    assert np.isnan(made[1])


def test_rows_of_tables_are_added() -> None:
    shapes = {name: ValueShape(2, 1, in_order(2)) for name in ("i", "j")}
    graph = GraphSettings(inputs=("w", "w", "i", "j"), shapes=shapes)
    numbers = [operand("i", 0, np.array([2, 0])), operand("j", 0, np.array([1, 1]))]
    stored = [weights("w", (0, 3), (1, 3))] * 2
    (made,) = lookup_rows(called(graph, numbers, {"y": (2, 6)}, stored))
    found = W[[2, 0], 1:3] + W[[1, 1], 1:3]
    np.testing.assert_array_equal(made, found.T.reshape(-1))


def test_a_function_that_is_not_known_is_refused() -> None:
    call = called(GraphSettings(inputs=("x",)), [], {"y": (0, 3)})
    with pytest.raises(SpecError, match="it does not say what it computes; give it a"):
        vector(call)
