"""Programs of a collective that compute something else are refused."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from chip.dataflow import Dataflow
from chip.program import Opcode, Program
from compiler.compile_collective import CollectiveSchedule, compile_collective
from compiler.dataflow_rules.collectives.proof import check_collective
from compiler.verify import MOST_SLICES, verify
from experiments.sabotage.dataflow_edits import with_flow, without_messages
from experiments.sabotage.program_edits import chosen_rows, with_rows
from specs.errors import VerificationError
from specs.machine import load_machine
from topologies.selection import select_topology
from workloads.collective import Collective

NODE, MACHINE = select_topology(8), load_machine()


def compiled(kind: str = "all-reduce", algorithm: str = "auto") -> CollectiveSchedule:
    chips = NODE.active.astype(np.int64)
    return compile_collective(
        NODE, MACHINE, kind, chips, payload_bytes=16_385, algorithm=algorithm
    )


GOOD = compiled()


def refused(program: Program, made: CollectiveSchedule = GOOD) -> str:
    with pytest.raises(VerificationError) as caught:
        verify(program, NODE, MACHINE, plan=made.plan)
    return str(caught.value)


def flow_of(program: Program) -> Dataflow:
    assert program.dataflow is not None
    return program.dataflow


def test_a_certificate_names_what_is_proven_of_a_collective() -> None:
    certificate = verify(GOOD.program, NODE, MACHINE, plan=GOOD.plan)
    assert certificate.unproven == ""
    assert certificate.checks["sums are of what is read"] > 0
    alone = verify(GOOD.program, NODE, MACHINE)
    assert alone.digest == certificate.digest
    assert len(alone.checks) + 7 == len(certificate.checks)


def test_every_rule_of_a_collective_is_applied_to_all_that_it_is_about() -> None:
    flow = flow_of(GOOD.program)
    checks = check_collective(GOOD.program, NODE, MACHINE, GOOD.plan)
    assert checks["messages hold what they carry"] == len(flow.messages)
    assert checks["sums are of what is read"] == len(flow.operations)
    trains = len(GOOD.program.trains) + len(flow.messages)
    assert checks["messages travel in full"] == trains
    # Two marks, the chip that leads, the stall; and memory of members and of chips.
    assert checks["marks, stalls and memory are as stated"] == 4 + 8 + 8
    assert len(checks) == 7


def test_an_all_reduce_is_a_reduce_scatter_too_and_no_all_gather() -> None:
    # Every member ends with its slice of the sum, and with more.
    less = GOOD.plan._replace(kind=Collective.REDUCE_SCATTER)
    assert check_collective(GOOD.program, NODE, MACHINE, less)
    other = GOOD.plan._replace(kind=Collective.ALL_GATHER)
    with pytest.raises(VerificationError, match="of tensor, which are not there just"):
        check_collective(GOOD.program, NODE, MACHINE, other)


def test_two_marks_are_no_collective() -> None:
    code = GOOD.program.instructions
    marks = chosen_rows(code, np.flatnonzero(code.opcode == Opcode.MARK))
    none = np.zeros(0, dtype=np.int64)
    empty = replace(
        GOOD.program,
        instructions=marks,
        trains=chosen_rows(GOOD.program.trains, none),
        deskews=chosen_rows(GOOD.program.deskews, none),
        kinds=(),
        dataflow=None,
    )
    # Of the machine's rules it keeps all.
    verify(empty, NODE, MACHINE)
    assert "states nothing that it computes, and 8 chips" in refused(empty)
    every = np.arange(len(flow_of(GOOD.program).messages))
    stated = without_messages(GOOD.program, every)
    assert "just once" in refused(stated)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("all-gather", "chip 1 does not end with columns 0 to 16384 of tensor"),
        ("broadcast", "of tensor"),
        ("reduce-scatter", "which are not there just once"),
        ("all-to-all", "chip 1 does not end with columns"),
    ],
)
def test_a_message_that_is_left_out_is_missed(kind: str, words: str) -> None:
    made = compiled(kind, "one-shot")
    first = np.flatnonzero(flow_of(made.program).messages.target == 1)[:1]
    assert words in refused(without_messages(made.program, first), made)


def test_a_term_is_added_by_its_own_member_alone() -> None:
    carried = flow_of(GOOD.program).carried
    changed = with_rows(carried, 0, part_first=3, part_last=4)
    assert "just once" in refused(with_flow(GOOD.program, carried=changed))


def test_a_complete_sum_has_all_terms() -> None:
    reads = flow_of(GOOD.program).reads
    changed = with_rows(reads, 0, part_last=7)
    assert "adds other parts than it states" in refused(
        with_flow(GOOD.program, reads=changed)
    )


def test_an_array_has_one_range_of_columns() -> None:
    made = compiled("reduce-scatter", "ring")
    writes = flow_of(made.program).writes
    # A sum of parts that do not follow each other has several rows.
    again = np.flatnonzero(
        (writes.owner[1:] == writes.owner[:-1])
        & (writes.array[1:] == writes.array[:-1])
    )
    row = int(again[0]) + 1
    changed = with_rows(writes, row, last=writes.last[row] + 1)
    assert "parts of columns" in refused(with_flow(made.program, writes=changed), made)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda p: replace(p, token_cycles=p.token_cycles - 1), "a token ends when"),
        (
            lambda p: replace(
                p, resident=p.resident._replace(activations=0 * p.resident.activations)
            ),
            "chip 0 keeps 16,385 bytes of the tensor, and 0 are stated",
        ),
    ],
)
def test_claims_are_what_they_must_be(
    change: Callable[[Program], Program], words: str
) -> None:
    assert words in refused(change(GOOD.program))


def test_an_end_mark_a_cycle_late_is_refused() -> None:
    # The last event is a train of 41 vectors, which take a fraction of a cycle.
    chips = NODE.active.astype(np.int64)
    made = compile_collective(NODE, MACHINE, "broadcast", chips, payload_bytes=13_000)
    code, end = made.program.instructions, made.program.token_cycles + 1
    mark = np.flatnonzero((code.opcode == Opcode.MARK) & (code.start_cycle > 0))
    late = replace(
        made.program,
        instructions=with_rows(code, mark, start_cycle=end),
        token_cycles=end,
        period_cycles=end,
    )
    assert f"its last event at {end - 1}" in refused(late, made)


def test_a_message_holds_what_it_carries() -> None:
    messages = flow_of(GOOD.program).messages
    changed = with_rows(messages, 0, payload_bytes=messages.payload_bytes[0] - 1)
    assert f"carries {messages.payload_bytes[0]}" in refused(
        with_flow(GOOD.program, messages=changed)
    )


def test_too_many_slices_are_certified_for_hazards_and_the_words_say_so() -> None:
    wide = GOOD.plan._replace(
        kind=compiled("all-gather").kind, payload_bytes=MOST_SLICES
    )
    members = np.arange(1_000)
    silent = replace(GOOD.program, dataflow=None)
    certificate = verify(silent, NODE, MACHINE, plan=wide._replace(members=members))
    assert str(certificate).endswith(
        "checks of hazards alone, not that 1,000 slices reach 1,000 chips)"
    )
