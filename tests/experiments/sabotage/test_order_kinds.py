"""Sabotage of when and where operators work: who changes places."""

from collections.abc import Callable, Mapping

import numpy as np
import pytest

from chip.dataflow import Dataflow, Function
from chip.program import Opcode, Program
from experiments.sabotage.case import Sabotage, SabotageCase
from experiments.sabotage.judgement import judged
from experiments.sabotage.operation_kinds import PRODUCTS
from experiments.sabotage.order_kinds import ORDER_KINDS

Cases = Mapping[str, SabotageCase]
Draw = Callable[..., Program]
Row = dict[str, int]
LostAndNew = Callable[[object, object], tuple[list[Row], list[Row]]]
DECODER = "small decoder"
OVERLAPPED = "overlapped decoder"
SLICE_KINDS = ORDER_KINDS[-3:]
EARLY, KEPT_FIRST, OTHER_SLICE = SLICE_KINDS
PAIRS = {
    "a norm before the sum of its input": (Function.ADD, Function.NORM_WEIGH),
    "attention before the new keys": (Function.POSITION, Function.SCORES),
    "an activation before its product": (Function.PRODUCT, Function.ACTIVATE),
    "a softmax before its scores": (Function.SCORES, Function.SOFTMAX),
}


def flow_of(program: Program) -> Dataflow:
    assert program.dataflow is not None
    return program.dataflow


def written(flow: Dataflow) -> dict[tuple[int, int], list[tuple[int, ...]]]:
    """Return the regions that each operator writes on each chip."""
    found: dict[tuple[int, int], list[tuple[int, ...]]] = {}
    regions, table = flow.writes, flow.operations
    for row, owner in enumerate(regions.owner.tolist()):
        key = int(table.operator[owner]), int(table.chip[owner])
        columns = (regions.value, regions.first, regions.part_first)
        found.setdefault(key, []).append(tuple(int(each[row]) for each in columns))
    return found


@pytest.mark.parametrize("kind", PAIRS)
def test_a_pair_of_operators_changes_places_in_the_statements(
    cases: Cases, draw: Draw, lost_and_new: LostAndNew, kind: str
) -> None:
    flow = cases[DECODER].flow
    made = draw(DECODER, kind, "statements")
    (first, second), new = lost_and_new(flow.operations, flow_of(made).operations)
    assert (first["function"], second["function"]) == PAIRS[kind]
    assert second["operator"] == first["operator"] + 1
    assert new == [
        second | {"operator": first["operator"]},
        first | {"operator": second["operator"]},
    ]
    # They are in the order of operators again, with what they read.
    assert (np.diff(flow_of(made).operations.operator) >= 0).all()
    names = [
        sorted(
            (
                each.names[each.operations.name[owner]],
                each.operations.chip[owner],
                value,
            )
            for owner, value in zip(each.reads.owner, each.reads.value, strict=True)
        )
        for each in (flow, flow_of(made))
    ]
    assert names[0] == names[1]


@pytest.mark.parametrize("kind", ["two operators in the wrong order", *PAIRS])
def test_a_chip_does_the_later_of_two_operators_first(
    cases: Cases, draw: Draw, lost_and_new: LostAndNew, kind: str
) -> None:
    before = cases[DECODER].program
    made = draw(DECODER, kind, "instructions")
    lost, new = lost_and_new(before.instructions, made.instructions)
    assert len({row["chip"] for row in (*lost, *new)}) == 1
    low, high = sorted({row["operator"] for row in lost})
    assert high == low + 1

    def kinds(rows: list[Row], operator: int) -> list[int]:
        return sorted(row["kind"] for row in rows if row["operator"] == operator)

    # Each does the work of the other, between the same cycles.
    assert kinds(new, low) == kinds(lost, high)
    assert kinds(new, high) == kinds(lost, low)
    edges = [
        (
            min(row["start_cycle"] for row in rows if row["opcode"] != 7),
            max(row["start_cycle"] + row["duration_cycles"] for row in rows),
        )
        for rows in (lost, new)
    ]
    assert edges[0] == edges[1]


def test_two_chips_do_the_operator_of_the_other(
    cases: Cases, draw: Draw, lost_and_new: LostAndNew
) -> None:
    flow = cases[DECODER].flow
    made = draw(DECODER, "two chips' operators swapped", "both")
    # Chips do equal work, so that neither instructions nor operations differ.
    code = cases[DECODER].program.instructions
    assert lost_and_new(code, made.instructions) == ([], [])
    assert lost_and_new(flow.operations, flow_of(made).operations) == ([], [])
    before, after = written(flow), written(flow_of(made))
    moved = [key for key, regions in before.items() if after[key] != regions]
    (operator,) = {operator for operator, _ in moved}
    one, other = (chip for _, chip in moved)
    assert after[operator, one] == before[operator, other]
    assert after[operator, other] == before[operator, one]


def test_a_product_is_done_by_a_chip_that_lacks_its_weights(
    cases: Cases, draw: Draw, lost_and_new: LostAndNew
) -> None:
    case = cases[DECODER]
    made = draw(DECODER, "a product on a chip without its weights", "both")
    (old,), (new,) = lost_and_new(case.flow.operations, flow_of(made).operations)
    assert old["function"] in PRODUCTS
    assert new == old | {"chip": new["chip"]}
    assert new["chip"] in case.topology.active
    lost, found = lost_and_new(case.program.instructions, made.instructions)
    assert {(row["operator"], row["chip"]) for row in lost} == {
        (old["operator"], old["chip"])
    }
    moved = [row | {"chip": new["chip"]} for row in lost]
    assert sorted(found, key=str) == sorted(moved, key=str)


def test_operators_that_do_not_read_each_other_keep_their_order(
    cases: Cases, draw: Draw, lost_and_new: LostAndNew
) -> None:
    kind, experts = "two operators in the wrong order", "small experts"
    flow = cases[experts].flow
    names = set()
    for seed in range(40):
        made = draw(experts, kind, "statements", seed)
        lost, _ = lost_and_new(flow.operations, flow_of(made).operations)
        names.add(tuple(flow.names[one["name"]].rpartition(".")[2] for one in lost))
    # The router's choice of experts and the scale of the norm may be in any order.
    assert ("scale", "choose") not in names
    assert len(names) > 5


@pytest.mark.parametrize("kind", SLICE_KINDS, ids=lambda kind: kind.kind)
def test_slices_at_a_wrong_time_or_of_other_columns_are_refused(
    cases: Cases, kind: Sabotage
) -> None:
    verdicts = {
        judged(cases[OVERLAPPED], kind, np.random.default_rng(n)).verdict
        for n in range(6)
    }
    assert "caught" in verdicts
    assert verdicts <= {"caught", "none"}


def test_only_one_product_begins_earlier(
    cases: Cases, lost_and_new: LostAndNew
) -> None:
    made = EARLY.change(cases[OVERLAPPED], np.random.default_rng(0))
    assert made is not None
    lost, new = lost_and_new(cases[OVERLAPPED].program.instructions, made.instructions)
    assert len(lost) == len(new) > 0
    products = (Opcode.READ, Opcode.MATMUL, Opcode.LOAD)
    assert {row["opcode"] for row in lost} <= set(products)
    assert len({row["operator"] for row in lost + new}) == 1
    begins = [min(row["start_cycle"] for row in rows) for rows in (new, lost)]
    assert begins[0] < begins[1]


def test_what_a_chip_keeps_is_numbered_before_what_it_sends(
    cases: Cases,
) -> None:
    made = KEPT_FIRST.change(cases[OVERLAPPED], np.random.default_rng(0))
    assert made is not None
    assert made.dataflow is not None
    number = cases[OVERLAPPED].flow.operations.operator
    assert sorted(made.dataflow.operations.operator) == sorted(number)
    assert not np.array_equal(made.instructions.operator, number)


def test_another_slice_is_as_wide_as_the_one_read(cases: Cases) -> None:
    made = OTHER_SLICE.change(cases[OVERLAPPED], np.random.default_rng(0))
    assert made is not None
    assert made.dataflow is not None
    new, old = made.dataflow.reads, cases[OVERLAPPED].flow.reads
    (row,) = np.flatnonzero(new.first != old.first)
    assert new.last[row] - new.first[row] == old.last[row] - old.first[row]
