"""Proof of a collective: every member ends with what it must, each term summed once.

For `compiler.verify`; independent of the code that makes programs.
"""

import numpy as np

from chip.dataflow import Function
from chip.program import Program
from compiler.dataflow_rules.claims import check_marks
from compiler.dataflow_rules.collectives.definition import start_and_end
from compiler.dataflow_rules.collectives.work import array_bytes, check_sum_work
from compiler.dataflow_rules.coverage import check_coverage
from compiler.dataflow_rules.instructions import check_edges, check_instructions
from compiler.dataflow_rules.statements import Statements
from compiler.dataflow_rules.transfers import check_trains
from compiler.hazard_rules.structure import violation
from specs.machine import MachineSpec
from topologies.topology import Topology
from workloads.collective import SUM, TENSOR, CollectivePlan
from workloads.operator_graph import OperatorGraph
from workloads.operators import TokenRows

_ONE_ROW = TokenRows(batch=1, context=1, query_tokens=1, answer_tokens=1)
_NAMES = (TENSOR, SUM)


def check_collective(
    program: Program, topology: Topology, machine: MachineSpec, plan: CollectivePlan
) -> dict[str, int]:
    """Return the cases of each rule by which a program computes a collective.

    Parameters
    ----------
    program
        A program that states its dataflow.
    topology, machine
        Links, and the sizes of vectors.
    plan
        The collective.

    Raises
    ------
    VerificationError
        If a rule is broken.
    """
    # A collective has no operators but its sums.
    nothing = OperatorGraph(name=str(plan.kind), rows=_ONE_ROW, blocks=())
    statements = Statements(program, nothing, 1)
    check_edges(statements)
    start, end = start_and_end(statements, plan, machine.link.vector_bytes)
    return {
        "messages travel in full": check_trains(statements, topology, machine),
        "messages hold what they carry": _check_payloads(statements),
        "all that is stated is executed": check_instructions(statements, sums=True),
        "sums are of what is read": _check_sums(statements, plan),
        "instructions are as long as their sums": check_sum_work(statements),
        "members have what they read and send, and end with their slices, once": (
            check_coverage(statements, start, end)
        ),
        "marks, stalls and memory are as stated": check_marks(program, machine)
        + _check_memory(program, machine, plan),
    }


def _check_payloads(statements: Statements) -> int:
    """Refuse a message with fewer bytes than the columns of all its arrays."""
    messages = statements.flow.messages
    carried = np.zeros(len(messages), dtype=np.int64)
    np.add.at(
        carried, statements.flow.carried.owner, array_bytes(statements.flow.carried)
    )
    short = np.flatnonzero(carried > messages.payload_bytes)
    if len(short):
        row = int(short[0])
        source = int(messages.source[row])
        raise violation(
            "a message does not arrive as sent",
            f"the message from chip {source} to chip {messages.target[row]} "
            f"({statements.when(source, int(messages.operator[row]))}) has "
            f"{messages.payload_bytes[row]} bytes and carries {carried[row]}",
        )
    return len(messages)


def _check_sums(statements: Statements, plan: CollectivePlan) -> int:
    """Refuse an operation that makes something else than the sum of what it reads.

    A complete sum is of the terms of all members.
    """
    flow, must = statements.flow, statements.must
    function = flow.operations.function
    every = np.arange(len(function))
    partial = function == Function.PARTIAL_SUM
    must(partial | (function == Function.ADD), every, "is no sum")
    known = np.array([v.name in _NAMES and v.number == 0 for v in flow.values])
    total = np.array([v.name == SUM for v in flow.values], dtype=bool)
    for regions in (flow.reads, flow.writes):
        must(known[regions.value], regions.owner, "names what a collective has not")
    must(~total[flow.reads.value], flow.reads.owner, "adds a sum that is complete")
    made, owner = total[flow.writes.value], flow.writes.owner
    must(made != partial[owner], owner, "makes a sum of other terms than it states")
    columns = [
        np.array(
            [table.owner, table.first, table.last, table.part_first, table.part_last]
        )
        for table in (flow.reads, flow.writes)
    ]
    read, wrote = (table[:, np.lexsort(table[::-1])] for table in columns)
    # A complete sum is one array of the terms of all members, and no longer of parts.
    whole = ~partial[wrote[0]]
    wrote[4, whole] = np.where(wrote[4, whole] == 1, len(plan.members), -1)
    if not np.array_equal(read, wrote):
        count = min(read.shape[1], wrote.shape[1])
        wrong = (read[:, :count] != wrote[:, :count]).any(axis=0)
        at = int(np.argmax(wrong)) if wrong.any() else count - 1
        raise statements.violation(int(read[0, at]), "adds other parts than it states")
    return len(every)


def _check_memory(program: Program, machine: MachineSpec, plan: CollectivePlan) -> int:
    """Refuse less resident memory than the tensor and the program text take."""
    reserve = machine.chip.program_reserve_bytes
    every = np.arange(program.chips)
    for what, chips, stated, needed in (
        ("the tensor", plan.members, program.resident.activations, plan.payload_bytes),
        # Chips that are no members may pass messages on.
        ("program text", every, program.resident.program, reserve),
    ):
        short = chips[stated[chips] < needed]
        if len(short):
            raise violation(
                "memory is stated as less than it is",
                f"chip {short[0]} keeps {needed:,} bytes of {what}, and "
                f"{stated[short[0]]:,} are stated",
            )
    return len(plan.members) + program.chips
