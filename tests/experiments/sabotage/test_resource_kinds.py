"""Sabotage of resources: which memory, slice, port or time is stated as less."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import pytest

from chip.functional_units import SliceInstruction, SlicePort
from chip.operator_work import ProductWork, VectorWork
from chip.program import Opcode, Program
from compiler.hazard_rules.streams import check_lengths
from experiments.sabotage.case import SabotageCase
from experiments.sabotage.program_edits import with_rows
from experiments.sabotage.resource_kinds import SHORTER, SMALLER
from specs.errors import VerificationError

Cases = Mapping[str, SabotageCase]
Draw = Callable[..., Program]
Row = dict[str, int]
LostAndNew = Callable[[object, object], tuple[list[Row], list[Row]]]
DECODER, EXPERTS, PROMPT = "small decoder", "small experts", "small prompt"


def changed_steps(
    case: SabotageCase, made: Program
) -> list[tuple[SliceInstruction, ...]]:
    """Return the steps of the one kind that differ, before and after."""
    pairs = zip(case.program.kinds, made.kinds, strict=True)
    ((before, after),) = ((a, b) for a, b in pairs if a.steps != b.steps)
    assert before.work == after.work
    return [before.steps, after.steps]


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("weights stated smaller", "weights"),
        ("a cache stated smaller", "kv_cache"),
        ("program text stated smaller", "program"),
    ],
)
def test_the_memory_of_one_chip_is_said_to_be_a_quarter_at_most(
    cases: Cases, draw: Draw, kind: str, name: str
) -> None:
    before = cases[DECODER].program.resident
    made = draw(DECODER, kind, "statements").resident
    for each in before._fields:
        less = np.flatnonzero(getattr(made, each) != getattr(before, each))
        assert len(less) == (each == name)
        small, size = getattr(made, each)[less], getattr(before, each)[less]
        assert (small <= size // 4).all()


def test_an_instruction_is_on_another_slice_or_port(
    cases: Cases, draw: Draw, lost_and_new: LostAndNew
) -> None:
    before = cases[DECODER].program.instructions
    made = draw(DECODER, "an instruction on another slice", "instructions")
    (old,), (new,) = lost_and_new(before, made.instructions)
    assert new == old | {"slice": new["slice"]}
    assert old["train"] == -1
    made = draw(DECODER, "a train on another port", "instructions")
    (old,), (new,) = lost_and_new(before, made.instructions)
    assert new == old | {"port": old["port"] + 1}
    assert old["train"] >= 0


@pytest.mark.parametrize("seed", range(4))
def test_an_instruction_is_too_short(
    cases: Cases, draw: Draw, lost_and_new: LostAndNew, seed: int
) -> None:
    before = cases[PROMPT].program.instructions
    made = draw(PROMPT, "an instruction too short", "instructions", seed)
    (old,), (new,) = lost_and_new(before, made.instructions)
    assert new == old | {"duration_cycles": new["duration_cycles"]}
    assert 1 <= new["duration_cycles"] < old["duration_cycles"]


def test_a_read_of_vectors_alone_is_as_long_as_they_stream(cases: Cases) -> None:
    program = cases[DECODER].program
    code, works = program.instructions, [kind.work for kind in program.kinds]
    ahead = [isinstance(w, ProductWork) and w.preloaded_rounds == 1 for w in works]
    row = np.flatnonzero((code.opcode == Opcode.READ) & np.array(ahead)[code.kind])[0]
    # The only round was loaded ahead: it installs in 12 cycles, and its row takes two.
    assert code.duration_cycles[row] == 14
    short = replace(program, instructions=with_rows(code, row, duration_cycles=13))
    with pytest.raises(VerificationError, match=r"MEM is taken for 13 .* takes 14"):
        check_lengths(short)


@pytest.mark.parametrize(
    ("name", "kind", "port"),
    [
        (EXPERTS, "reads", SlicePort.MEM_READ),
        (EXPERTS, "writes", SlicePort.MEM_WRITE),
        (EXPERTS, "loads of weights", SlicePort.MXM_LOAD),
        (EXPERTS, "installations", SlicePort.MXM_INSTALL),
        # Eight rows of a chunk.
        (PROMPT, "multiplications", SlicePort.MXM_MULTIPLY),
        (PROMPT, "vector operations", SlicePort.VXM),
    ],
)
def test_slices_of_one_kind_work_in_half_the_time_that_they_need(
    cases: Cases, draw: Draw, name: str, kind: str, port: SlicePort
) -> None:
    case = cases[name]
    made = draw(name, f"{kind} in half the time", "instructions")
    before, after = changed_steps(case, made)
    changed = [(a, b) for a, b in zip(before, after, strict=True) if a != b]
    assert {one.port for one, _ in changed} == {port}
    for one, other in changed:
        assert other == one._replace(duration_cycles=other.duration_cycles)
        assert 1 <= other.duration_cycles < one.duration_cycles
    # Its instructions are never longer than they were.
    longer = (
        made.instructions.duration_cycles > case.program.instructions.duration_cycles
    )
    assert not longer.any()


@pytest.mark.parametrize(
    ("what", "port"),
    [
        ("installed before they are loaded", SlicePort.MXM_INSTALL),
        ("multiplied before they are installed", SlicePort.MXM_MULTIPLY),
    ],
)
def test_rounds_of_tiles_begin_a_step_a_cycle_too_early(
    cases: Cases, draw: Draw, what: str, port: SlicePort
) -> None:
    made = draw(EXPERTS, f"tiles {what}", "instructions")
    before, after = changed_steps(cases[EXPERTS], made)
    changed = [(a, b) for a, b in zip(before, after, strict=True) if a != b]
    assert {one.port for one, _ in changed} == {port}
    for one, other in changed:
        assert other == one._replace(start_cycle=one.start_cycle - 1)


def test_rounds_of_tiles_follow_each_other_too_closely(
    cases: Cases, draw: Draw
) -> None:
    made = draw(EXPERTS, "rounds of tiles one in another", "instructions")
    before, after = changed_steps(cases[EXPERTS], made)
    changed = [(a, b) for a, b in zip(before, after, strict=True) if a != b]
    ports = {one.port for one, _ in changed}
    assert ports >= {
        SlicePort.MXM_LOAD,
        SlicePort.MXM_INSTALL,
        SlicePort.MXM_MULTIPLY,
    }
    for one, other in changed:
        # A round loads in 40 cycles, installs in 12 and multiplies a row in two.
        assert (one.repeats > 1, one.interval_cycles) == (True, 54)
        assert other == one._replace(interval_cycles=53)


def test_all_slices_of_a_vector_operator_start_at_once(
    cases: Cases, draw: Draw
) -> None:
    case = cases[DECODER]
    made = draw(DECODER, "no time from slice to slice", "instructions")
    before, after = changed_steps(case, made)
    assert (
        {step.start_cycle for step in after}
        == {0}
        != {step.start_cycle for step in before}
    )
    (work,) = (each.work for each in made.kinds if each.steps == after)
    assert isinstance(work, VectorWork)
    takes = (
        made.instructions.duration_cycles - case.program.instructions.duration_cycles
    )
    assert takes.min() < 0 == takes.max()


def test_a_slice_does_nothing_for_an_operator(cases: Cases, draw: Draw) -> None:
    made = draw(DECODER, "a slice left out of an operator", "instructions")
    before, after = changed_steps(cases[DECODER], made)
    (gone,) = set(before) - set(after)
    assert len(after) == len(before) - 1
    assert gone.bytes > 0


def test_another_leader_and_more_sequences_are_stated(cases: Cases, draw: Draw) -> None:
    case = cases[DECODER]
    other = draw(DECODER, "another leader stated", "statements")
    assert other.leader != case.program.leader
    assert other.leader in case.topology.active
    more = draw(DECODER, "more sequences stated", "statements")
    assert more.sequences == case.program.sequences + 1
    assert more.instructions is case.program.instructions


def test_a_program_for_less_work_is_one_that_was_compiled(
    cases: Cases, draw: Draw
) -> None:
    shorter = draw(DECODER, SHORTER, "both")
    assert shorter is cases[DECODER].others[SHORTER]
    assert shorter.dataflow is not None
    assert shorter.dataflow.passes[0].context_tokens == 16
    smaller = draw("small LSTM", SMALLER, "both")
    products = [
        {each.work.rows for each in program.kinds if isinstance(each.work, ProductWork)}
        for program in (cases["small LSTM"].program, smaller)
    ]
    assert products == [{2}, {1}]
