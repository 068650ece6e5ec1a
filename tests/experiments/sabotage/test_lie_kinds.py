"""Sabotage by lies: statements that agree with each other and mean something else."""

from collections.abc import Callable, Mapping

import pytest

from chip.dataflow import Dataflow, Function
from chip.operator_work import LoadWork, ProductWork
from chip.program import Program
from experiments.sabotage.case import SabotageCase

Cases = Mapping[str, SabotageCase]
Draw = Callable[..., Program]
Row = dict[str, int]
LostAndNew = Callable[[object, object], tuple[list[Row], list[Row]]]
DECODER, PROMPT = "small decoder", "small prompt"


def flow_of(program: Program) -> Dataflow:
    assert program.dataflow is not None
    return program.dataflow


def test_a_layer_is_left_out_and_the_one_before_hands_on_its_result(
    cases: Cases, draw: Draw
) -> None:
    before, flow = cases[DECODER].program, cases[DECODER].flow
    made = draw(DECODER, "a layer left out", "both")
    left = flow_of(made)

    def layers(each: Dataflow) -> set[str]:
        names = [each.names[name] for name in each.operations.name.tolist()]
        return {name.split(".")[1] for name in names if name.startswith("layers.")}

    (gone,) = layers(flow) - layers(left)
    assert gone in {"1", "2"}
    end = f"layers.{gone}.feed_forward.output"
    handed = f"layers.{int(gone) - 1}.feed_forward.output"
    changed = {
        (one.name, other.name)
        for one, other in zip(flow.values, left.values, strict=True)
        if one != other
    }
    assert changed == {(handed, end)}
    own = [
        flow.operations.operator[n]
        for n, name in enumerate(flow.operations.name)
        if flow.names[name].startswith(f"layers.{gone}.")
    ]
    code = made.instructions
    inside = (code.operator >= min(own)) & (code.operator <= max(own))
    assert not (inside & (code.train < 0)).any()
    assert len(code) < len(before.instructions)


def test_an_operator_is_said_to_copy_what_it_reads(
    cases: Cases, draw: Draw, lost_and_new: LostAndNew
) -> None:
    flow = cases[DECODER].flow
    made = flow_of(draw(DECODER, "a copy in place of an operator", "statements"))
    lost, new = lost_and_new(flow.operations, made.operations)
    assert new == [row | {"function": Function.PARTIAL_SUM} for row in lost]
    assert len({row["operator"] for row in lost}) == 1
    for owner in range(len(made.operations)):
        if made.operations.function[owner] != flow.operations.function[owner]:
            (read,) = (made.reads.owner == owner).nonzero()[0]
            (written,) = (made.writes.owner == owner).nonzero()[0]
            assert made.reads.first[read] == made.writes.first[written]
            assert made.reads.last[read] == made.writes.last[written]
    assert made.writes is flow.writes


def test_a_vector_operator_is_said_to_be_done_by_the_one_before(
    cases: Cases, draw: Draw, lost_and_new: LostAndNew
) -> None:
    case = cases[DECODER]
    made = draw(DECODER, "two operators in one instruction", "both")
    (gone,), none = lost_and_new(case.program.instructions, made.instructions)
    assert none == []
    (old,), (new,) = lost_and_new(case.flow.operations, flow_of(made).operations)
    assert (old["operator"], old["chip"]) == (gone["operator"], gone["chip"])
    assert new == old | {"operator": old["operator"] - 1}
    table = flow_of(made).operations
    together = (table.operator == new["operator"]) & (table.chip == new["chip"])
    assert together.sum() == 2


def test_what_an_earlier_pass_made_is_read(
    cases: Cases, draw: Draw, lost_and_new: LostAndNew
) -> None:
    flow = cases[PROMPT].flow
    made = flow_of(draw(PROMPT, "a value of another pass read", "statements"))
    (old,), (new,) = lost_and_new(flow.reads, made.reads)
    assert new == old | {"value": new["value"]}
    one, other = (flow.values[row["value"]] for row in (old, new))
    assert other == one._replace(number=one.number - 1)


def test_a_value_is_said_to_have_answered_rows_alone(cases: Cases, draw: Draw) -> None:
    flow = cases[PROMPT].flow
    made = flow_of(draw(PROMPT, "rows of answered positions alone", "statements"))
    ((one, other),) = (
        pair for pair in zip(flow.values, made.values, strict=True) if len({*pair}) > 1
    )
    assert other == one._replace(answered=True)
    assert not one.answered
    passed = flow.passes[one.number]
    assert passed.answer_tokens < passed.query_tokens


@pytest.mark.parametrize("seed", range(6))
def test_a_region_ends_where_it_begins_or_before(
    cases: Cases, draw: Draw, lost_and_new: LostAndNew, seed: int
) -> None:
    flow = cases[DECODER].flow
    kind = "a region that ends before it begins"
    made = flow_of(draw(DECODER, kind, "statements", seed))
    found = [
        lost_and_new(getattr(flow, name), getattr(made, name))
        for name in ("reads", "writes", "carried")
    ]
    (((old,), (new,)),) = (pair for pair in found if pair != ([], []))
    edges = {name for name in old if old[name] != new[name]}
    begin, end = ("first", "last") if edges & {"first", "last"} else (
        "part_first", "part_last"
    )  # fmt: skip
    assert edges <= {begin, end}
    assert old[begin] < old[end]
    assert new[begin] >= new[end]


def test_keys_are_said_to_be_ready_before_they_are_made(
    cases: Cases, draw: Draw, lost_and_new: LostAndNew
) -> None:
    before = cases[DECODER].program
    made = draw(DECODER, "keys loaded before they are made", "instructions")
    lost, new = lost_and_new(before.instructions, made.instructions)
    works = before.kinds[lost[0]["kind"]].work, made.kinds[new[0]["kind"]].work
    assert isinstance(works[0], ProductWork)
    # The keys of 32 positions are one tile, in which the newest is.
    assert works[0].ready_rounds == 0
    assert works[1] == works[0]._replace(ready_rounds=1)


@pytest.mark.parametrize(
    ("kind", "column"),
    [
        ("fewer bytes of weights read", "stored_bytes"),
        ("fewer bytes of vectors multiplied", "input_bytes"),
        ("fewer bytes of products written", "output_bytes"),
        ("a narrower mode of a product", "operand_bytes"),
        ("fewer operands of a vector operator", "operands"),
        ("fewer passes of a vector operator", "passes"),
        ("fewer reductions of a vector operator", "reductions"),
        ("fewer bits of a vector operator", "element_bits"),
    ],
)
def test_one_number_of_an_operators_work_is_half(
    cases: Cases, draw: Draw, lost_and_new: LostAndNew, kind: str, column: str
) -> None:
    before = cases[DECODER].program
    made = draw(DECODER, kind, "instructions")
    lost, new = lost_and_new(before.instructions, made.instructions)
    (place,) = {(row["operator"], row["chip"]) for row in (*lost, *new)}
    assert place[0] >= 0
    old, other = before.kinds[lost[-1]["kind"]].work, made.kinds[new[-1]["kind"]].work
    half = old._replace(**{column: getattr(old, column) // 2})
    ahead = getattr(old, "preloaded_bytes", 0)
    if column == "stored_bytes" and ahead:
        # Its only round was loaded ahead; so is what is left of it.
        assert isinstance(half, ProductWork)
        assert ahead == getattr(old, "stored_bytes", 0)
        half = half._replace(preloaded_bytes=half.stored_bytes)
    assert other == half
    assert getattr(other, column) >= 1


@pytest.mark.parametrize("seed", range(4))
def test_a_product_of_fewer_bytes_relies_on_what_is_loaded_ahead_of_it(
    cases: Cases, draw: Draw, lost_and_new: LostAndNew, seed: int
) -> None:
    before = cases[DECODER].program
    made = draw(DECODER, "fewer bytes of weights read", "instructions", seed)
    _, new = lost_and_new(before.instructions, made.instructions)
    works = [made.kinds[row["kind"]].work for row in new]
    loaded = sum(work.stored_bytes for work in works if isinstance(work, LoadWork))
    relied = {w.preloaded_bytes for w in works if isinstance(w, ProductWork)}
    assert relied == {loaded}
