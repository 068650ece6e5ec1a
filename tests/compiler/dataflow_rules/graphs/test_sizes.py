"""Sizes of what a graph's program sends."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from compiler.dataflow_rules.graphs.sizes import GraphSizes
from compiler.dataflow_rules.transfers import check_payloads
from experiments.sabotage.program_edits import with_rows
from specs.errors import VerificationError


def test_a_region_has_the_bits_of_its_elements(graph: Callable[[str], Any]) -> None:
    program = graph("lstm")
    sizes = GraphSizes(program.facts)
    writes, values = program.flow.writes, program.flow.values
    bits = dict(
        zip(
            [values[value].name for value in writes.value],
            sizes.carried_bits(writes).tolist(),
            strict=True,
        )
    )
    # 32 partial sums, and the cells of four units, of 16 bits each.
    assert bits["gates (partial)"] == 32 * 16
    assert bits["cell'"] == 4 * 16
    # Weights are not sent.
    reads = program.flow.reads
    weights = [values[value].name == "w" for value in reads.value]
    assert set(sizes.carried_bits(reads)[weights].tolist()) == {0}


def test_ranges_of_one_array_are_sent_once(graph: Callable[[str], Any]) -> None:
    program = graph("lstm")
    writes = program.flow.writes
    first = np.arange(2)
    twice = with_rows(writes, first, owner=0, value=writes.value[0], array=0)
    assert GraphSizes(program.facts).carried_bits(twice)[:2].tolist() == [32 * 16, 0]


@pytest.mark.parametrize(
    ("program", "shards"),
    # Of elements of half a byte, each of six chips sends whole bytes.
    [("lstm", 1), ("gathered", 1), ("half inputs", 1), ("half bytes", 6)],
)
def test_payloads_are_as_long_as_what_they_carry(
    graph: Callable[[str], Any], program: str, shards: int
) -> None:
    valid = graph(program)
    sizes, messages = GraphSizes(valid.facts), valid.flow.messages
    assert sizes.most_shards == shards
    count = check_payloads(valid.facts.statements, sizes, shards)
    assert count == len(messages)
    bits = np.zeros(len(messages), dtype=np.int64)
    carried = valid.flow.carried
    np.add.at(bits, carried.owner, sizes.carried_bits(carried))
    for payload in (-(-bits[0] // 8) - 1, -(-bits[0] // 8) + shards):
        other = valid.stating(messages=with_rows(messages, 0, payload_bytes=payload))
        with pytest.raises(
            VerificationError,
            match=rf"from chip {messages.source[0]} to chip {messages.target[0]} "
            r"\(cycle \d+\) of .* is not as long as what it carries",
        ):
            check_payloads(other.facts.statements, sizes, shards)
