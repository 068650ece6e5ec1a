"""Sabotage of what is computed: which value, part or term is another one."""

from collections.abc import Callable, Mapping

import numpy as np
import pytest

from chip.dataflow import Dataflow, Function
from chip.operator_work import ProductWork, VectorWork
from chip.program import Program
from experiments.sabotage.case import SabotageCase

Cases = Mapping[str, SabotageCase]
Draw = Callable[..., Program]
Row = dict[str, int]
LostAndNew = Callable[[object, object], tuple[list[Row], list[Row]]]
DECODER, EXPERTS = "small decoder", "small experts"
TWINS = {"key": "value", "keys": "values", "key_cache": "value_cache"}
TWINS |= {other: one for one, other in TWINS.items()}


def flow_of(program: Program) -> Dataflow:
    assert program.dataflow is not None
    return program.dataflow


# Others draw from writes, and what writes keys writes values, too.
@pytest.mark.parametrize("seed", [0, 2, 3])
def test_one_operation_has_keys_for_values(
    cases: Cases, draw: Draw, lost_and_new: LostAndNew, seed: int
) -> None:
    kind = "keys and values swapped in an operator"
    flow = cases[DECODER].flow
    made = flow_of(draw(DECODER, kind, "statements", seed))
    lost, new = lost_and_new(flow.reads, made.reads)
    assert made.writes is flow.writes
    assert len(lost) == len(new) > 0
    assert len({row["owner"] for row in (*lost, *new)}) == 1
    names = [
        {flow.values[row["value"]].name.rpartition(".")[2] for row in rows}
        for rows in (lost, new)
    ]
    assert {TWINS[name] for name in names[0]} == names[1]


def test_keys_and_values_of_one_layer_change_their_names(
    cases: Cases, draw: Draw
) -> None:
    before = cases[DECODER].flow.values
    made = draw(DECODER, "keys and values swapped in a layer", "statements")
    pairs = [
        (one.name.rpartition("."), other.name.rpartition("."))
        for one, other in zip(before, flow_of(made).values, strict=True)
        if one != other
    ]
    blocks = {name[0] for pair in pairs for name in pair}
    assert len(blocks) == 1
    assert blocks.pop().endswith(".attention")
    assert {one[2]: other[2] for one, other in pairs} == TWINS


def test_a_cache_is_read_one_position_or_one_part_further(
    cases: Cases, draw: Draw, lost_and_new: LostAndNew
) -> None:
    flow, shifted = cases[DECODER].flow, set()
    for seed in range(6):
        made = draw(DECODER, "a stale part of a cache read", "statements", seed)
        (old,), (new,) = lost_and_new(flow.reads, flow_of(made).reads)
        assert flow.values[old["value"]].name.endswith("_cache")
        by = {name: new[name] - old[name] for name in old if new[name] != old[name]}
        if by.keys() == {"part_first", "part_last"}:
            assert [*by.values()] == [1, 1]
        else:
            assert by.keys() == {"first", "last"}
            assert [*by.values()] == [old["last"] - old["first"]] * 2
        shifted.add(frozenset(by))
    assert len(shifted) == 2


def test_attention_does_not_read_what_its_pass_has_made(
    cases: Cases, draw: Draw, lost_and_new: LostAndNew
) -> None:
    flow = cases[DECODER].flow
    made = draw(DECODER, "attention without the newest position", "statements")
    (lost,), none = lost_and_new(flow.reads, flow_of(made).reads)
    assert none == []
    function = flow.operations.function[lost["owner"]]
    last = flow.values[lost["value"]].name.rpartition(".")[2]
    assert (function, last) in {(Function.SCORES, "keys"), (Function.ATTEND, "values")}


def test_a_sum_lacks_a_term_in_statements_and_work(
    cases: Cases, draw: Draw, lost_and_new: LostAndNew
) -> None:
    before, flow = cases[DECODER].program, cases[DECODER].flow
    kind = "a partial sum left out"
    said = draw(DECODER, kind, "statements")
    lost, new = lost_and_new(flow.reads, flow_of(said).reads)
    parts = sum(row["part_last"] - row["part_first"] for row in lost)
    assert parts - sum(row["part_last"] - row["part_first"] for row in new) == 1
    assert flow.operations.function[lost[0]["owner"]] == Function.ADD
    done = draw(DECODER, kind, "instructions")
    (old,), (other,) = lost_and_new(before.instructions, done.instructions)
    works = before.kinds[old["kind"]].work, done.kinds[other["kind"]].work
    assert isinstance(works[0], VectorWork)
    assert isinstance(works[1], VectorWork)
    fewer, operations = works[1].operands, works[0].operations
    assert 1 <= fewer < works[0].operands
    least = min(fewer, operations)
    assert works[1] == works[0]._replace(operands=fewer, operations=least)
    both = draw(DECODER, kind, "both")
    assert lost_and_new(flow.reads, flow_of(both).reads)[0]
    (changed,) = lost_and_new(before.instructions, both.instructions)[1]
    # It is the operation of which less is stated.
    (owner,) = {
        row["owner"] for row in lost_and_new(flow.reads, flow_of(both).reads)[0]
    }
    place = flow.operations.operator[owner], flow.operations.chip[owner]
    assert (changed["operator"], changed["chip"]) == place


def test_a_term_is_read_or_sent_twice_and_a_message_is_as_much_longer(
    cases: Cases, draw: Draw, lost_and_new: LostAndNew
) -> None:
    flow, tables = cases[DECODER].flow, set()
    for seed in range(6):
        made = flow_of(draw(DECODER, "a partial sum added twice", "statements", seed))
        read = lost_and_new(flow.reads, made.reads)
        sent = lost_and_new(flow.carried, made.carried)
        assert read[0] == sent[0] == []
        assert len(read[1]) + len(sent[1]) == 1
        (row,) = read[1] or sent[1]
        assert ".partial" in flow.values[row["value"]].name
        lost, new = lost_and_new(flow.messages, made.messages)
        assert len(lost) == len(new) == len(sent[1])
        if sent[1]:
            own = flow.carried.owner == row["owner"]
            width = (flow.carried.last - flow.carried.first)[own].sum()
            payload = lost[0]["payload_bytes"]
            more = payload * (row["last"] - row["first"]) // width
            assert new[0]["payload_bytes"] == payload + more
        tables.add("sent" if sent[1] else "read")
    assert tables == {"read", "sent"}


def test_a_product_lacks_the_matrix_of_an_expert(
    cases: Cases, draw: Draw, lost_and_new: LostAndNew
) -> None:
    before, flow = cases[EXPERTS].program, cases[EXPERTS].flow
    said = draw(EXPERTS, "an expert left out", "statements")
    (lost,), none = lost_and_new(flow.reads, flow_of(said).reads)
    assert none == []
    name = flow.values[lost["value"]].name
    assert name.endswith(".weight")
    assert "feed_forward" in name
    same = (flow.reads.owner == lost["owner"]) & (flow.reads.value == lost["value"])
    held = int(same.sum())
    assert held > 1
    done = draw(EXPERTS, "an expert left out", "instructions")
    _, changed = lost_and_new(before.instructions, done.instructions)
    table = flow.operations
    one = (table.operator[lost["owner"]], table.chip[lost["owner"]])
    assert {(row["operator"], row["chip"]) for row in changed} == {one}
    code = before.instructions
    own = np.flatnonzero((code.operator == one[0]) & (code.chip == one[1]))
    old = before.kinds[code.kind[own[-1]]].work
    new = done.kinds[changed[0]["kind"]].work
    assert isinstance(old, ProductWork)
    assert isinstance(new, ProductWork)
    assert new.weights * held == old.weights * (held - 1)
    both = draw(EXPERTS, "an expert left out", "both")
    assert len(flow_of(both).reads) == len(flow.reads) - 1
    assert lost_and_new(done.instructions, both.instructions) == ([], [])
