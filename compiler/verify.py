"""Verifier: an independent proof that a program is valid and computes its model.

The verifier and its rules share no code with the rest of the compiler. They read the
finished program and derive everything again from the machine, the topology, the
operator graph and the plan's table of weights. Each rule holds for every
instruction and every vector, under every jitter and drift that the machine allows, or
the first counter-example is reported.
"""

import hashlib
from dataclasses import dataclass
from enum import IntEnum
from typing import final

import numpy as np

from chip.program import Program
from compiler.dataflow_rules.claims import check_claims, check_heads, check_results
from compiler.dataflow_rules.collectives.proof import check_collective
from compiler.dataflow_rules.coverage import check_coverage
from compiler.dataflow_rules.functions import check_functions
from compiler.dataflow_rules.graphs.proof import graph_checks
from compiler.dataflow_rules.instructions import check_instructions, check_passes
from compiler.dataflow_rules.linear.states import check_states
from compiler.dataflow_rules.operation_amounts import OperationAmounts
from compiler.dataflow_rules.residency import (
    check_cache_order,
    check_mirrors,
    check_residency,
    tokens_at_start,
)
from compiler.dataflow_rules.statements import Statements
from compiler.dataflow_rules.transfers import check_payloads, check_trains
from compiler.dataflow_rules.value_sizes import ValueSizes
from compiler.dataflow_rules.work import check_work
from compiler.hazard_rules.memory import check_memory, check_operands, check_text
from compiler.hazard_rules.slices import check_amounts, check_kinds
from compiler.hazard_rules.streams import check_lengths, check_streams
from compiler.hazard_rules.structure import (
    check_ends,
    check_exclusive,
    check_operators,
    check_outage,
    check_routes,
    violation,
)
from compiler.hazard_rules.timing import check_deskews, check_fifos, check_receives
from compiler.hazard_rules.weight_buffers import check_buffers, check_loads
from sharding.planner.plan import ShardingPlan
from sharding.workloads.workload_plan import WorkloadPlan
from specs.machine import MachineSpec
from topologies.outage import NO_OUTAGE, Outage
from topologies.routing.spanning_tree import alignment_tree
from topologies.topology import Topology
from workloads.collective import Collective, CollectivePlan
from workloads.model_graph import graph_of

# Slices of a collective's tensor, counted on all members, up to which it is proven.
MOST_SLICES = 600_000


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """Certificate that a program keeps every rule, with the cases of each.

    Without a plan the rules are those of the machine, so that the certificate does not
    say what is computed.

    Parameters
    ----------
    digest
        First 16 hexadecimal digits of the SHA-256 of what the hardware executes. What
        the program states about it, its dataflow, is checked but not covered.
    checks
        Number of cases to which each rule was applied.
    unproven
        What is not proven although a plan asks for it, in words; empty if all is.
    """

    digest: str
    checks: dict[str, int]
    unproven: str = ""

    def __str__(self) -> str:
        """Return the digest, the number of cases and what is not proven."""
        words = " ".join(["checks", self.unproven]).strip()
        return f"{self.digest} ({sum(self.checks.values()):,} {words})"


def verify(
    program: Program,
    topology: Topology,
    machine: MachineSpec,
    outage: Outage = NO_OUTAGE,
    *,
    plan: ShardingPlan | WorkloadPlan | CollectivePlan | None = None,
    cached_layers: int | None = None,
) -> Certificate:
    """Return the compiler's certificate that `program` keeps every rule on `machine`.

    Parameters
    ----------
    program
        Instructions, trains and deskews.
    topology
        Chips and links.
    machine
        Specification of chips, links and clocks.
    outage
        Chips and links that are out of order.
    plan
        What the program must compute: a model, an iteration of any workload, or a
        collective. It must state its dataflow, but for a collective of more members
        than it states it for. Without a plan the rules are those of the machine alone.
    cached_layers
        Number of the first layers of a model whose KV cache alone the program must
        fill; None for a program that computes the whole model.

    Raises
    ------
    VerificationError
        If a rule is broken; the message names the chip or link, the cycle and the
        amount.
    """
    # First, because a chip that is out of order cannot be the root of the tree.
    checks = {
        "what is out of order does nothing": check_outage(program, topology, outage)
    }
    height = alignment_tree(topology, machine, program.leader, outage).height
    checks |= {
        "trains ride the links they name": check_ends(program, topology, machine),
        "no slice or port is used twice": check_exclusive(program),
        "operators follow each other": check_operators(program, machine),
        "forwards follow their receives": check_routes(program, topology, machine),
        "vectors are there when received": check_receives(
            program, topology, machine, height
        ),
        "receive FIFOs never overflow": check_fifos(program, topology, machine, height),
        "deskews disturb nothing": check_deskews(program, machine, height),
        "slices of an operator do one thing at a time": check_kinds(program, machine),
        "slices move and multiply what is asked": check_amounts(program, machine),
        "operators last as long as their slices": check_lengths(program),
        "weights loaded ahead are for the next product": check_loads(program, machine),
        "weight buffers hold what is loaded": check_buffers(program, machine),
        "streams carry all that meets": check_streams(program, machine),
        "program text fits": check_text(program, machine),
        "operands fit": check_operands(program, machine),
        "SRAM holds all, at any time": check_memory(program, machine),
    }
    unproven = ""
    if isinstance(plan, CollectivePlan):
        unproven = _unproven(program, machine, plan)
        if not unproven:
            checks |= check_collective(program, topology, machine, plan)
    elif plan is not None:
        _check_states_something(program, plan)
        if isinstance(plan, ShardingPlan):
            checks |= _computes(program, topology, plan, cached_layers)
        else:
            checks |= graph_checks(program, topology, plan)
    return Certificate(digest=digest(program), checks=checks, unproven=unproven)


def _unproven(program: Program, machine: MachineSpec, plan: CollectivePlan) -> str:
    """Return what is not proven of a collective without dataflow, in words.

    Raises
    ------
    VerificationError
        If it must state its dataflow.
    """
    count, size = len(plan.members), plan.payload_bytes
    if program.dataflow is not None:
        return ""
    whole = plan.kind in (Collective.ALL_REDUCE, Collective.BROADCAST)
    slices = min(count, machine.link.vectors(size) if whole else size)
    if slices * count <= MOST_SLICES:
        raise violation(
            "the program computes something else",
            f"it states nothing that it computes, and {count} chips are to {plan.kind}",
        )
    return f"of hazards alone, not that {slices:,} slices reach {count:,} chips"


def _check_states_something(
    program: Program, plan: ShardingPlan | WorkloadPlan
) -> None:
    """Refuse a program that states nothing that it computes."""
    if program.dataflow is not None and len(program.dataflow.operations):
        return
    wanted = (
        f"{len(plan.workload.operators)} operators of {plan.workload.name}"
        if (isinstance(plan, WorkloadPlan))
        else f"{plan.task.model.layers} layers of {plan.task.model.name}"
    )
    raise violation(
        "the program computes something else",
        f"it states nothing that it computes, and the {wanted} are to be computed",
    )


def _computes(
    program: Program,
    topology: Topology,
    plan: ShardingPlan,
    cached_layers: int | None,
) -> dict[str, int]:
    """Return the cases of each rule by which a program computes a plan's model."""
    task, machine = plan.task, plan.task.machine
    graph = graph_of(
        task.model, machine.formats, context=task.context, batch=task.batch
    )
    statements = Statements(program, graph, plan.strategy.expert)
    # Before all else, since the sizes of values follow from the passes.
    check_passes(statements, task)
    encoder = task.model.structure.encoder
    sizes = ValueSizes(statements, machine.formats, encoder=encoder)
    starts = [stage.chips for stage in plan.stages if stage.index == 0]
    mirrored: dict[str, int] = {}
    if task.mirrored:
        mirrored["new keys and values are mirrored"] = check_mirrors(statements, plan)
    return mirrored | {
        "messages travel in full": check_trains(statements, topology, machine),
        "messages are as long as what they carry": check_payloads(statements, sizes),
        "all that is stated is executed": check_instructions(statements),
        "results follow by the graph": check_functions(statements),
        "instructions are as long as their operations": check_work(
            statements, OperationAmounts(statements, sizes, task), task
        ),
        "chips have what they read and send, once": check_coverage(
            statements, tokens_at_start(statements, np.concatenate(starts))
        ),
        "weights are where the plan says": check_residency(statements, plan),
        "every layer attends with all heads": check_heads(
            statements, plan, cached_layers
        ),
        **_states(statements, plan, cached_layers),
        **_cache_order(statements),
        "results arrive in time": check_results(statements, plan, machine),
        "marks, stalls and memory are as stated": check_claims(
            statements, plan, machine
        ),
    }


def _states(
    statements: Statements, plan: ShardingPlan, cached_layers: int | None
) -> dict[str, int]:
    """Return the cases of the rule that only linear attention needs."""
    if plan.task.model.linear is None:
        return {}
    checked = check_states(statements, plan, cached_layers)
    return {"every state is read and replaced once a token": checked}


def _cache_order(statements: Statements) -> dict[str, int]:
    """Return the cases of the rule that only programs of several passes need."""
    if len(statements.flow.passes) == 1:
        return {}
    return {"chunks meet the KV cache in order": check_cache_order(statements)}


def digest(program: Program) -> str:
    """Return the digest of a compiled program: equal programs have equal digests."""
    state = hashlib.sha256()
    for table in (program.instructions, program.trains, program.deskews):
        for name in sorted(table.__slots__):
            column = getattr(table, name)
            if isinstance(column, np.ndarray):
                state.update(np.ascontiguousarray(column, dtype=np.int64).tobytes())
    state.update(repr(_values(program.kinds)).encode())
    for column in program.resident:
        state.update(column.tobytes())
    state.update(f"{program.period_cycles} {program.interval_cycles}".encode())
    return state.hexdigest()[:16]


def _values(record: object) -> object:
    """Return the numbers of nested records, without the names of classes and fields.

    Works of different kinds are told apart by their fields' number and by the slices
    they are lowered to, so that a renamed class does not change the hash.
    """
    if isinstance(record, tuple):
        return tuple(_values(each) for each in record)
    return int(record) if isinstance(record, IntEnum) else record
