"""Operations that a graph's program states, and the facts beside them."""

from collections.abc import Callable
from typing import Any

from chip.dataflow import Function
from compiler.dataflow_rules.graphs.stated import Region, stated_operations


def test_a_region_covers_what_is_complete_within_it() -> None:
    region = Region(4, 8, 0, 1)
    assert region.covers(4, 8)
    assert region.covers(5, 7)
    assert not region.covers(3, 5)
    assert not region.covers(7, 9)
    # A partial sum covers nothing.
    assert not Region(4, 8, 0, 2).covers(4, 8)
    assert not Region(4, 8, 1, 2).complete


def test_an_operation_has_its_regions_by_the_names_of_their_values(
    graph: Callable[[str], Any],
) -> None:
    operations = stated_operations(graph("lstm").flow)
    first = operations[0]
    assert (first.name, first.function, first.chip) == (
        "gates",
        Function.MATRIX_PRODUCT,
        0,
    )
    assert first.reads == {
        "x": [Region(0, 16, 0, 1)],
        "w": [Region(0, 16, 0, 32)],
    }
    assert first.writes == {"gates (partial)": [Region(0, 32, 0, 16)]}
    assert [each.number for each in operations] == list(range(len(operations)))


def test_a_state_that_is_made_has_a_second_name(graph: Callable[[str], Any]) -> None:
    facts = graph("lstm").facts
    assert facts.states == {"h": "h'", "cell": "cell'"}
    assert facts.tensors["h'"] == facts.tensors["h"]
    assert facts.is_value("h'")
    assert facts.is_value("gates (partial)")
    assert not facts.is_value("w")
    assert facts.partial("gates") == "gates (partial)"


def test_each_matrix_of_several_has_a_name(graph: Callable[[str], Any]) -> None:
    facts = graph("experts").facts
    assert list(facts.matrices) == ["w[0]", "w[1]", "w[2]", "w[3]"]
    assert list(graph("lstm").facts.matrices) == ["w"]


def test_elements_have_the_bits_of_their_format(graph: Callable[[str], Any]) -> None:
    facts = graph("half inputs").facts
    # Weights of the workload are 4-bit integers, activations FP16.
    assert facts.bits(facts.tensors["b"]) == 4
    assert facts.bits(facts.tensors["c"]) == 16
