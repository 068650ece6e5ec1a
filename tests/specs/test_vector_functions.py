import pytest

from specs.graph import Vector
from specs.vector_functions import FACTS, VectorFunction, operations_of


@pytest.mark.parametrize("function", VectorFunction)
def test_each_function_has_its_facts(function: VectorFunction) -> None:
    facts = FACTS[function]
    assert facts.least <= (facts.most or facts.least)
    assert operations_of(function, facts.least) >= 1


def test_a_sum_of_four_takes_three_operations_on_each_element() -> None:
    vector = Vector(
        name="v",
        inputs=("a", "b", "c", "d"),
        outputs=("y",),
        function=VectorFunction.ADD,
    )
    assert vector.operation_count == 3
    assert vector.pass_count == 1


def test_what_is_moved_is_one_operand_as_large_as_the_result() -> None:
    moved = Vector(
        name="v",
        inputs=("a", "b", "c"),
        outputs=("y",),
        function=VectorFunction.REARRANGE,
    )
    assert (moved.operation_count, moved.operand_count) == (1, 1)
    assert moved.moves
    assert moved.sized_by == ("y",)
    added = moved.model_copy(update={"function": VectorFunction.ADD})
    assert (added.operation_count, added.operand_count) == (2, 3)
    assert not added.moves
    assert added.sized_by == ("a", "b", "c", "y")


def test_only_what_needs_other_places_is_not_in_place() -> None:
    elsewhere = {name for name, facts in FACTS.items() if not facts.in_place}
    reductions = {name for name in FACTS if name.value.startswith("reduce_")}
    assert len(reductions) == 3
    assert elsewhere == reductions | {
        VectorFunction.SOFTMAX,
        VectorFunction.RMS_NORM,
        VectorFunction.LAYER_NORM,
        VectorFunction.REARRANGE,
    }


def test_operations_and_passes_follow_from_the_function_unless_they_are_given() -> None:
    derived = Vector(
        name="v", inputs=("a",), outputs=("y",), function=VectorFunction.SOFTMAX
    )
    assert (derived.operation_count, derived.pass_count) == (4, 3)
    given = derived.model_copy(update={"operations": 9, "passes": 5})
    assert (given.operation_count, given.pass_count) == (9, 5)
    opaque = Vector(name="v", inputs=("a",), outputs=("y",))
    assert (opaque.operation_count, opaque.pass_count) == (1, 1)


def test_functions_of_a_whole_row_reduce_it_and_others_do_not() -> None:
    reduced = {name for name, facts in FACTS.items() if facts.reductions}
    assert reduced == {name for name, facts in FACTS.items() if facts.over_rows}
    # The largest score, then the sum; a sum of squares; two sums that shift together.
    counts = [
        Vector(name="v", inputs=("a",), outputs=("y",), function=name).reduction_count
        for name in (
            VectorFunction.SOFTMAX,
            VectorFunction.RMS_NORM,
            VectorFunction.LAYER_NORM,
            VectorFunction.RELU,
            None,
        )
    ]
    assert counts == [2, 1, 1, 0, 0]


@pytest.mark.parametrize(
    ("function", "passes", "reads_back"),
    [
        (VectorFunction.LSTM_CELL, None, True),
        # The second pass waits for all of a row.
        (VectorFunction.RMS_NORM, None, False),
        # What passes of one's own do is not known.
        (VectorFunction.LSTM_CELL, 2, False),
        (None, 2, False),
    ],
)
def test_a_second_pass_of_a_function_of_elements_reads_what_the_first_has_written(
    function: VectorFunction | None, passes: int | None, reads_back: bool
) -> None:
    vector = Vector(
        name="v", inputs=("a", "b"), outputs=("y",), function=function, passes=passes
    )
    assert vector.reads_back == reads_back
