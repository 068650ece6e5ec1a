"""States, outputs, weights and memory of a graph's program."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from chip.dataflow import Function
from compiler.dataflow_rules.coverage import check_coverage
from compiler.dataflow_rules.graphs.results import (
    check_graph_memory,
    check_graph_residency,
    check_graph_results,
    check_one_iteration,
    states_there,
)
from experiments.sabotage.program_edits import with_rows
from specs.errors import VerificationError

PRODUCT, VECTOR = Function.MATRIX_PRODUCT, Function.VECTOR


def there(program: Any, value: str) -> list[tuple[int, int, int]]:
    """Return chip, first and end element of what is there when an iteration begins."""
    names = [each.name for each in program.flow.values]
    table = states_there(program.facts)
    chips, values = np.divmod(table.key, len(names))
    own = values == names.index(value)
    return sorted(
        zip(
            chips[own].tolist(),
            table.first[own].tolist(),
            table.last[own].tolist(),
            strict=True,
        )
    )


def test_a_state_is_where_the_iteration_before_has_left_it(
    graph: Callable[[str], Any],
) -> None:
    program = graph("lstm")
    # Inputs are on every chip. Each chip keeps the cells that it makes.
    assert there(program, "x") == [(chip, 0, 16) for chip in range(4)]
    assert there(program, "cell") == [(n, 4 * n, 4 * n + 4) for n in range(4)]
    # Chips of the second rows multiply all of the hidden state.
    assert [rows for rows in there(program, "h") if rows[0] == 1] == [
        (1, first, first + 4) for first in range(0, 16, 4)
    ]


def test_a_state_that_nothing_makes_is_on_every_chip(
    graph: Callable[[str], Any],
) -> None:
    program = graph("pairs")
    assert there(program, "keys") == [(chip, 0, 240) for chip in range(4)]


def test_a_state_that_is_not_left_where_it_is_read_is_refused(
    graph: Callable[[str], Any],
) -> None:
    program = graph("lstm")
    facts = program.facts
    assert check_coverage(facts.statements, states_there(facts)) > 0
    carried, names = program.flow.carried, [v.name for v in program.flow.values]
    target = program.flow.messages.target[carried.owner]
    own = (carried.value == names.index("h'")) & (target == 1)
    rows = np.flatnonzero(own)
    assert len(rows) == 3
    for fewer in rows.tolist():
        less = {"last": carried.last[fewer] - 1}
        other = program.stating(carried=with_rows(carried, fewer, **less)).facts
        with pytest.raises(
            VerificationError,
            match=r"gates on chip 1 .*columns 0 to 31 of gates \(partial\): reads "
            r"columns 0 to 15 of h, which are not there just once",
        ):
            check_coverage(other.statements, states_there(other))


def test_a_gathered_output_is_on_the_first_chip(
    graph: Callable[[str], Any], changed: Callable[..., tuple[Any, str]]
) -> None:
    program = graph("gathered")
    assert check_graph_results(program.facts) == 1
    # Nothing is to arrive of an output that is not gathered. Two results that are read
    # whole are to be on both chips, and a hidden state on four, beside two states.
    assert check_graph_results(graph("rows").facts) == 2 * 2
    assert check_graph_results(graph("lstm").facts) == 4 + 2
    missing = "chip 0 does not have each of the 64 elements of c once"
    carried, values = program.flow.carried, program.flow.values
    row = next(n for n, v in enumerate(carried.value) if values[v].name == "c")
    for edges in (
        {"last": carried.last[row] - 1},
        {"first": carried.first[row] - 1},
        {"part_last": 2},
    ):
        other = program.stating(carried=with_rows(carried, row, **edges))
        with pytest.raises(VerificationError, match=missing):
            check_graph_results(other.facts)
    fewer, _ = changed("gathered", ("writes", Function.TOTAL, "c", {"last": -1}))
    with pytest.raises(VerificationError, match=missing):
        check_graph_results(fewer.facts)


@pytest.mark.parametrize(
    ("program", "edit", "rows"),
    [
        ("lstm", ("reads", PRODUCT, "w", {"first": 16, "last": 16}), "16 to 31 of w"),
        ("lstm", ("reads", PRODUCT, "w", {"last": 1}), "0 to 16 of w"),
        ("lstm", ("reads", PRODUCT, "w", {"part_last": 1}), "0 to 15 of w"),
        (
            "lstm",
            ("reads", PRODUCT, "w", {"part_first": 32, "part_last": 32}),
            "0 to 15 of w",
        ),
        ("experts", ("reads", PRODUCT, "w[1]", {"last": 4}), "0 to 7 of w[1]"),
        ("rows", ("reads", VECTOR, "scale", {"last": 1}), "0 to 1 of scale"),
        (
            "pairs",
            ("reads", Function.LOOKUP_ROWS, "table", {"part_last": 1}),
            "0 to 8 of table",
        ),
    ],
)
def test_weights_that_the_plan_gives_to_another_chip_are_refused(
    graph_refusal: Callable[..., str], program: str, edit: Any, rows: str
) -> None:
    message = graph_refusal(check_graph_residency, program, edit)
    assert message == f"reads rows {rows}, which the plan does not give it"


def test_copies_of_weights_are_on_several_chips(graph: Callable[[str], Any]) -> None:
    # The matrix of two chips, and the scale that both read.
    assert check_graph_residency(graph("rows").facts) == 2 + 2
    assert check_graph_residency(graph("experts").facts) == 4 * 4


@pytest.mark.parametrize(
    ("program", "field", "what"),
    [
        ("lstm", "weights", "weights"),
        # A quarter of 16 cells of 16 bits, and of the hidden state what is read.
        ("lstm", "kv_cache", "states"),
        ("lstm", "activations", "activations"),
        ("lstm", "program", "program text"),
        ("rows", "weights", "weights"),
    ],
)
def test_memory_is_stated_as_much_as_the_plan_needs(
    graph: Callable[[str], Any], program: str, field: str, what: str
) -> None:
    valid = graph(program)
    chips = valid.plan.chips
    assert check_graph_memory(valid.facts) == 4 * len(chips)
    resident = valid.program.resident
    for chip in chips.tolist():
        needed = int(getattr(resident, field)[chip])
        short = getattr(resident, field).copy()
        short[chip] = needed - 1
        less = replace(valid.program, resident=resident._replace(**{field: short}))
        with pytest.raises(
            VerificationError,
            match=f"chip {chip} keeps {needed:,} bytes of {what}, and {needed - 1:,} ",
        ):
            check_graph_memory(valid._replace(program=less).facts)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"sequences": 2}, "2 run at once, 0 cycles apart"),
        ({"interval_cycles": 9}, "1 run at once, 9 cycles apart"),
    ],
)
def test_iterations_follow_each_other(
    graph: Callable[[str], Any], fields: dict[str, int], why: str
) -> None:
    program = graph("lstm")
    assert check_one_iteration(program.facts) == 1
    beside = program._replace(program=replace(program.program, **fields))
    with pytest.raises(VerificationError, match=why):
        check_one_iteration(beside.facts)
