"""Sabotage of times: who is early, and by how much."""

from collections.abc import Callable, Mapping

import numpy as np
import pytest

from chip.program import Opcode, Program
from experiments.sabotage.case import SabotageCase

Cases = Mapping[str, SabotageCase]
Draw = Callable[..., Program]
Row = dict[str, int]
LostAndNew = Callable[[object, object], tuple[list[Row], list[Row]]]
DECODER, COLLECTIVE = "small decoder", "all-reduce two-step"


def overlaps(program: Program) -> int:
    """Return the pairs of trains that are on a link at the same time."""
    trains = program.trains
    end = trains.wire_cycle + trains.vectors
    order = np.lexsort((trains.wire_cycle, trains.link))
    same = trains.link[order][1:] == trains.link[order][:-1]
    return int((same & (end[order][:-1] > trains.wire_cycle[order][1:])).sum())


@pytest.mark.parametrize("seed", range(6))
def test_one_instruction_and_its_train_are_a_cycle_earlier(
    cases: Cases, draw: Draw, lost_and_new: LostAndNew, seed: int
) -> None:
    before = cases[DECODER].program
    made = draw(DECODER, "an instruction a cycle earlier", "instructions", seed)
    (old,), (new,) = lost_and_new(before.instructions, made.instructions)
    assert new == old | {"start_cycle": old["start_cycle"] - 1}
    lost, found = lost_and_new(before.trains, made.trains)
    assert len(lost) == len(found) == (old["train"] >= 0)
    for one, other in zip(lost, found, strict=True):
        column = "receive_cycle" if old["opcode"] == Opcode.RECEIVE else "wire_cycle"
        assert other == one | {column: one[column] - 1}


def test_two_trains_are_on_a_link_at_the_same_time(cases: Cases, draw: Draw) -> None:
    assert overlaps(cases[DECODER].program) == 0
    made = draw(DECODER, "two trains on a link at once", "instructions")
    assert overlaps(made) > 0


def test_deskews_stall_for_another_time_or_one_is_gone(
    cases: Cases, draw: Draw
) -> None:
    deskews = cases[COLLECTIVE].program.deskews
    other = draw(COLLECTIVE, "a deskew stalls for another time", "instructions").deskews
    assert other.stall_cycles != deskews.stall_cycles
    assert 0 < other.stall_cycles < 2 * deskews.stall_cycles
    assert other.start_cycle is deskews.start_cycle
    fewer = draw(COLLECTIVE, "a deskew dropped", "instructions").deskews
    assert len(fewer) == len(deskews) - 1
    said = draw(COLLECTIVE, "a shorter time after deskews stated", "statements").deskews
    assert 0 < said.interval_cycles < deskews.interval_cycles


def test_the_end_is_marked_early_and_may_be_stated_so(cases: Cases, draw: Draw) -> None:
    end = cases[DECODER].program.token_cycles

    def last_mark(program: Program) -> int:
        code = program.instructions
        return int(code.start_cycle[code.opcode == Opcode.MARK].max())

    assert last_mark(cases[DECODER].program) == end
    alone = draw(DECODER, "the end marked early", "instructions")
    assert last_mark(alone) < alone.token_cycles == end
    stated = draw(DECODER, "the end marked early", "both")
    assert last_mark(stated) == stated.token_cycles < end


def test_a_period_is_shorter_than_a_token_or_than_its_sampling(
    cases: Cases, draw: Draw
) -> None:
    before = cases[DECODER].program
    end, flow = before.token_cycles, cases[DECODER].flow
    short = draw(DECODER, "a period too short", "instructions")
    assert end // 2 <= short.period_cycles < end == short.token_cycles
    (sample,) = [n for n, name in enumerate(flow.names) if name == "head.sample"]
    operator = flow.operations.operator[flow.operations.name == sample][0]
    code = before.instructions
    sampled = int(code.start_cycle[code.operator == operator].min())
    early = draw(DECODER, "a token before the last is sampled", "instructions")
    assert sampled - 100 < early.period_cycles < sampled
    stated = draw(DECODER, "a token before the last is sampled", "both")
    assert stated.token_cycles == stated.period_cycles < sampled


@pytest.mark.parametrize("variant", ["instructions", "statements", "both"])
def test_nothing_is_left_but_marks(cases: Cases, draw: Draw, variant: str) -> None:
    made = draw(DECODER, "marks and nothing else", variant)
    code = cases[DECODER].program.instructions
    assert set(made.instructions.opcode.tolist()) == {Opcode.MARK}
    assert len(made.instructions) == (code.opcode == Opcode.MARK).sum()
    assert len(made.trains) == 0
    if variant == "statements":
        assert made.dataflow is None
    else:
        assert made.dataflow is not None
        emptied = len(made.dataflow.operations) + len(made.dataflow.messages) == 0
        assert emptied == (variant == "both")
