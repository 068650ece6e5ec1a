"""Bits of regions as they are sent, which the payload of a message must have."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from compiler.dataflow_rules.transfers import check_payloads
from compiler.dataflow_rules.value_sizes import ValueSizes
from experiments.sabotage.case import SabotageCase
from experiments.sabotage.program_edits import with_rows
from sharding.planner.plan import ShardingPlan
from specs.errors import VerificationError
from workloads.model_graph import graph_of


def sizes_of(program: Any) -> ValueSizes:
    task = program.plan.task
    encoder = task.model.structure.encoder
    return ValueSizes(program.statements, task.machine.formats, encoder=encoder)


def carried(program: Any, value: str) -> set[tuple[int, int]]:
    """Return the columns and the bits of the regions of a value that are sent."""
    regions = program.flow.carried
    bits = sizes_of(program).carried_bits(regions)
    names = [program.flow.values[number].name for number in regions.value]
    rows = [row for row, name in enumerate(names) if f".{name}".endswith(f".{value}")]
    assert rows
    return {
        (int(regions.last[row] - regions.first[row]), int(bits[row])) for row in rows
    }


@pytest.mark.parametrize(
    ("program", "value", "columns", "bits"),
    [
        # Activations have 16 bits.
        ("decoder", "weighed", 16, 16 * 16),
        ("decoder", "partial", 16, 16 * 16),
        # Sums of squares, scores of experts and tokens are in FP32.
        ("decoder", "squares", 1, 32),
        ("wide", "squares", 2, 2 * 32),
        ("post norms", "sum_squares", 1, 32),
        ("experts", "router_scores", 4, 4 * 32),
        ("cut", "tokens", 1, 32),
        ("cut", "head.token", 1, 32),
        # A candidate is a logit and its number.
        ("decoder", "candidates", 1, 2 * 32),
        ("cut", "candidates@2", 1, 2 * 32),
        # One head of 8 rows, with its largest score and its sum; keys have 2 heads.
        ("shared heads", "attended", 8, 8 * 16 + 2 * 2 * 32),
    ],
)
def test_a_region_has_the_bits_of_its_columns(
    stated: Callable[[str], Any], program: str, value: str, columns: int, bits: int
) -> None:
    assert (columns, bits) in carried(stated(program), value)


def test_the_squares_of_a_head_are_one_sum(stated: Callable[[str], Any]) -> None:
    program = stated("head norms")
    regions = program.flow.writes
    names = [program.flow.values[number].name for number in regions.value]
    rows = [row for row, name in enumerate(names) if name.endswith("query_squares")]
    # Two heads of eight rows on each chip.
    assert sizes_of(program).carried_bits(regions)[rows].tolist() == [2 * 32] * 2


def test_values_have_a_row_for_each_position_that_is_computed(
    case_of: Callable[[str], SabotageCase], stated: Callable[[str], Any]
) -> None:
    case = case_of("prompt")
    assert isinstance(case.plan, ShardingPlan)
    task = case.plan.task
    graph = graph_of(task.model, context=task.context, batch=1)
    statements = type(stated("decoder").statements)(case.program, graph, 1)
    sizes = ValueSizes(statements, task.machine.formats, encoder=False)
    rows = {
        (value.number, value.name): int(count)
        for value, count in zip(case.flow.values, sizes.rows, strict=True)
    }
    # Chunks of eight positions; the last one answers its last position alone.
    assert rows[0, "layers.0.attention.input"] == 8
    assert rows[1, "layers.0.attention.input"] == 8
    assert rows[1, "head.input"] == 1
    assert rows[-1, "head.weight"] == 0


def test_an_encoder_pools_the_first_position(stated: Callable[[str], Any]) -> None:
    program = stated("encoder")
    names = [value.name for value in program.flow.values]
    rows = dict(zip(names, sizes_of(program).rows.tolist(), strict=True))
    assert rows["head.weighed"] == rows["head.states"] == 16
    assert rows["head.first_weighed"] == rows["head.input"] == rows["head.pooled"] == 1


@pytest.mark.parametrize("program", ["decoder", "shared heads", "cut", "encoder"])
def test_payloads_are_as_long_as_what_they_carry(
    stated: Callable[[str], Any], program: str
) -> None:
    valid = stated(program)
    messages = valid.flow.messages
    assert check_payloads(valid.statements, sizes_of(valid)) == len(messages)
    for by in (-1, 1):
        last = len(messages) - 1
        payload = messages.payload_bytes[last] + by
        other = valid.stating(messages=with_rows(messages, last, payload_bytes=payload))
        ends = f"chip {messages.source[last]} to chip {messages.target[last]}"
        with pytest.raises(VerificationError, match=f"{ends} .* not as long as what"):
            check_payloads(other.statements, sizes_of(other))


def test_a_message_of_fewer_columns_than_it_carries_is_refused(
    stated: Callable[[str], Any],
) -> None:
    valid = stated("decoder")
    regions = valid.flow.carried
    names = np.array([valid.flow.values[n].name for n in regions.value])
    row = int(np.flatnonzero(names == "layers.0.attention.weighed")[0])
    more = valid.stating(carried=with_rows(regions, row, last=regions.last[row] + 1))
    with pytest.raises(VerificationError, match=r"attention\.weighed and .*not as"):
        check_payloads(more.statements, sizes_of(more))
