"""Sabotage of operators: which instructions and operations go, and which stay."""

from collections.abc import Callable, Mapping

import numpy as np
import pytest

from chip.dataflow import Dataflow, Function
from chip.operator_work import ProductWork
from chip.program import Opcode, Program
from experiments.sabotage.case import SabotageCase
from experiments.sabotage.operation_kinds import PRODUCTS

Cases = Mapping[str, SabotageCase]
Draw = Callable[..., Program]
Row = dict[str, int]
LostAndNew = Callable[[object, object], tuple[list[Row], list[Row]]]
DECODER = "small decoder"


def flow_of(program: Program) -> Dataflow:
    assert program.dataflow is not None
    return program.dataflow


def weights(program: Program) -> list[int]:
    """Return the weights that each chip's instruction of a product multiplies with."""
    code = program.instructions
    kinds = code.kind[code.opcode == Opcode.MATMUL].tolist()
    return [getattr(program.kinds[kind].work, "weights", 0) for kind in kinds]


@pytest.mark.parametrize("kind", ["a product", "a vector operator"])
def test_an_operator_of_a_chip_is_deleted_here_there_or_both(
    cases: Cases, draw: Draw, lost_and_new: LostAndNew, kind: str
) -> None:
    before, flow = cases[DECODER].program, cases[DECODER].flow
    done, said, both = (
        draw(DECODER, f"{kind} deleted", variant)
        for variant in ("instructions", "statements", "both")
    )
    (gone,), none = lost_and_new(flow.operations, flow_of(said).operations)
    assert none == []
    assert (gone["function"] in PRODUCTS) == (kind == "a product")
    lost, none = lost_and_new(before.instructions, done.instructions)
    assert none == []
    # All that it does on its chip, loads ahead of it included.
    place = gone["operator"], gone["chip"]
    assert {(row["operator"], row["chip"]) for row in lost} == {place}
    code = before.instructions
    own = (code.operator == place[0]) & (code.chip == place[1])
    assert len(lost) == own.sum()
    assert len(both.instructions) == len(done.instructions)
    assert len(flow_of(both).operations) == len(flow_of(said).operations)
    assert done.dataflow is flow
    assert said.instructions is code


def test_without_products_nothing_is_multiplied(draw: Draw) -> None:
    made = draw(DECODER, "all products deleted", "both")
    left = set(made.instructions.opcode.tolist())
    assert left.isdisjoint({Opcode.MATMUL, Opcode.LOAD})
    assert {Opcode.VECTOR, Opcode.SEND} <= left
    assert not np.isin(flow_of(made).operations.function, PRODUCTS).any()


def test_attention_of_one_layer_goes_on_both_of_its_chips(
    cases: Cases, draw: Draw, lost_and_new: LostAndNew
) -> None:
    flow = cases[DECODER].flow
    made = draw(DECODER, "attention of a layer deleted", "statements")
    lost, none = lost_and_new(flow.operations, flow_of(made).operations)
    assert none == []
    functions = [Function.SCORES, Function.SOFTMAX, Function.ATTEND]
    assert [row["function"] for row in lost] == [
        each for each in functions for _ in range(2)
    ]
    assert len({row["chip"] for row in lost}) == 2
    names = {flow.names[row["name"]].rsplit(".", 1)[0] for row in lost}
    assert len(names) == 1


def test_the_biggest_product_is_halved_on_all_its_chips(
    cases: Cases, draw: Draw, lost_and_new: LostAndNew
) -> None:
    before = cases[DECODER].program
    # Gates and up of a layer together: 2 * 128 columns by 64 rows, on two chips.
    assert max(weights(before)) == 2 * 128 * 64 // 2
    made = draw(DECODER, "the biggest product halved", "instructions")
    pairs = [
        (one, other)
        for one, other in zip(weights(before), weights(made), strict=True)
        if one != other
    ]
    assert pairs == [(8192, 4096)] * 2
    stated = draw(DECODER, "the biggest product halved", "statements")
    lost, new = lost_and_new(cases[DECODER].flow.writes, flow_of(stated).writes)
    assert [row["last"] - row["first"] for row in lost] == [64] * 4
    assert [row["last"] - row["first"] for row in new] == [32] * 4


def test_a_multiplication_is_halved_and_what_loads_for_it_stays(
    cases: Cases, draw: Draw, lost_and_new: LostAndNew
) -> None:
    before = cases[DECODER].program
    made = draw(DECODER, "a multiplication halved, not its reads", "instructions")
    (old,), (new,) = lost_and_new(before.instructions, made.instructions)
    assert old["opcode"] == Opcode.MATMUL
    assert new["start_cycle"] == old["start_cycle"]
    works = before.kinds[old["kind"]].work, made.kinds[new["kind"]].work
    assert isinstance(works[0], ProductWork)
    assert isinstance(works[1], ProductWork)
    assert works[1].weights == works[0].weights // 2


def test_the_last_operator_of_a_chip_is_done_twice(
    cases: Cases, draw: Draw, lost_and_new: LostAndNew
) -> None:
    before, flow = cases[DECODER].program, cases[DECODER].flow
    made = draw(DECODER, "an operator done twice", "both")
    none, again = lost_and_new(before.instructions, made.instructions)
    assert none == []
    code, (place,) = before.instructions, {(r["operator"], r["chip"]) for r in again}
    own = (code.operator == place[0]) & (code.chip == place[1])
    own &= code.opcode != Opcode.LOAD
    assert len(again) == own.sum()
    end = int((code.start_cycle + code.duration_cycles)[own].max())
    assert min(row["start_cycle"] for row in again) == end
    none, twice = lost_and_new(flow.operations, flow_of(made).operations)
    assert none == []
    assert [(row["operator"], row["chip"]) for row in twice] == [place]
    # No other operation of that chip is behind it.
    assert flow.operations.operator[flow.operations.chip == place[1]].max() == place[0]
    table = flow_of(made)
    one = [n for n, c in enumerate(table.operations.chip) if c == place[1]][-2:]
    for regions in (table.reads, table.writes):
        first, second = (
            regions.value[regions.owner == number].tolist() for number in one
        )
        assert first == second != []
