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


def test_operations_and_passes_follow_from_the_function_unless_they_are_given() -> None:
    derived = Vector(
        name="v", inputs=("a",), outputs=("y",), function=VectorFunction.SOFTMAX
    )
    assert (derived.operation_count, derived.pass_count) == (4, 3)
    given = derived.model_copy(update={"operations": 9, "passes": 5})
    assert (given.operation_count, given.pass_count) == (9, 5)
    opaque = Vector(name="v", inputs=("a",), outputs=("y",))
    assert (opaque.operation_count, opaque.pass_count) == (1, 1)
