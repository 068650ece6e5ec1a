"""Compilation of one iteration of a workload graph into a static schedule."""

from functools import cached_property, partial
from typing import final

import numpy as np

from chip.dataflow import Pass
from chip.program import Program, Resident
from compiler.collectives.contents import (
    PhaseDataflow,
    exchange_dataflow,
    member_hops,
)
from compiler.collectives.exchange_selection import MOST_TRAINS, ExchangeSelector
from compiler.collectives.phases import Phase
from compiler.cost.graph_roofline import workload_bound
from compiler.cost.guard_band import Tolerance
from compiler.cost.link_timing import link_timing
from compiler.ir.dataflow_emission import emit_dataflow
from compiler.ir.entry_dataflow import EntryDataflow, GraphScope, PhaseShare
from compiler.ir.program_emission import emit
from compiler.ir.schedule import WorkloadSchedule
from compiler.ir.timeline import Timeline
from compiler.routing.message_scheduler import MessageScheduler
from compiler.scheduling.deskew_insertion import place_deskews
from compiler.scheduling.deskew_interval import best_deskew_interval
from compiler.scheduling.schedule_builder import ScheduleBuilder
from sharding.graph.workload_operators import workload_steps
from sharding.graph.workload_plan import WorkloadPlan
from sharding.graph.workload_regions import matrix_names
from sharding.operators.operands import Operand, Operation
from sharding.operators.operators import Compute, Exchange
from specs.arrays import Ints
from specs.errors import ScheduleError
from specs.graph import Role
from topologies.outage import NO_OUTAGE, Outage
from topologies.routing.spanning_tree import alignment_tree
from topologies.routing.static_routes import Routes
from topologies.topology import Topology

# What an iteration of a graph computes has no positions.
_ITERATION = Pass(context_tokens=1, query_tokens=1, answer_tokens=1, batch=1)


def compile_workload(
    plan: WorkloadPlan, topology: Topology, outage: Outage = NO_OUTAGE
) -> WorkloadSchedule:
    """Compile one iteration of a workload graph under `plan` into a static schedule.

    Parameters
    ----------
    plan
        Who holds what; its chips are chips of `topology`.
    topology
        The topology.
    outage
        Its chips and links that are out of order.

    Raises
    ------
    ScheduleError
        If no guard band, deskew interval or program size holds; the message says
        which setting would.
    """
    machine = plan.machine
    leader = int(plan.group.chips[0])
    tree = alignment_tree(topology, machine, leader, outage)
    tolerance = Tolerance(machine=machine, tree_height=tree.height)
    routes = Routes(topology, outage)
    steps = workload_steps(plan)
    exchanges = max(1, sum(isinstance(step, Exchange) for step in steps))
    longest_cycles = _longest_phase_cycles(tolerance)

    def timeline(interval_cycles: int) -> Timeline:
        guard_cycles = tolerance.guard_cycles(interval_cycles)
        timing = link_timing(topology, machine, guard_cycles)
        transfers = MessageScheduler(topology, machine, routes, timing)
        builder = ScheduleBuilder(
            transfers,
            chip=machine.chip,
            stall_cycles=machine.hac.epoch_cycles,
            interval_cycles=interval_cycles,
            check=partial(_check_trains, plan=plan),
        )
        selector = ExchangeSelector(topology, machine, transfers, repeats=exchanges)
        return _timeline(plan, steps, builder, selector, longest_cycles)

    wanted = machine.deskew.interval_epochs
    if wanted == "auto":
        interval_cycles = best_deskew_interval(timeline(0), tolerance)
    else:
        interval_cycles = tolerance.checked_interval(wanted)
    scheduled = timeline(interval_cycles)
    instructions, trains, kinds = emit(scheduled, topology, machine.chip, leader)
    deskews = place_deskews(
        instructions,
        interval_cycles=interval_cycles,
        longest_cycles=tolerance.longest_interval_cycles,
        stall_cycles=machine.hac.epoch_cycles,
        period_cycles=scheduled.token_cycles,
        starts=np.zeros(1, dtype=np.int64),
    )
    if deskews is None:
        raise ScheduleError(
            f"{plan.workload.name}: some chip has no gap for a RUNTIME_DESKEW within "
            f"{interval_cycles} cycles of each vector; use a longer "
            f"deskew.interval_epochs or 'auto', or steadier crystals (clock.drift_ppm "
            f"below {machine.clock.drift_ppm:g})"
        )
    return WorkloadSchedule(
        plan=plan,
        topology=topology,
        tree=tree,
        program=Program(
            chips=topology.chips,
            instructions=instructions,
            trains=trains,
            kinds=kinds,
            resident=_resident(plan, topology.chips),
            deskews=deskews,
            period_cycles=scheduled.token_cycles,
            token_cycles=scheduled.token_cycles,
            sequences=1,
            interval_cycles=0,
            leader=leader,
            guard_cycles=tolerance.guard_cycles(interval_cycles),
            dataflow=emit_dataflow(scheduled, [_ITERATION]),
        ),
        timeline=scheduled,
        lower_bound_cycles=workload_bound(plan, steps),
    )


def _longest_phase_cycles(tolerance: Tolerance) -> int:
    """Return the longest phase of an exchange between two deskews, 0 for no limit.

    Where the compiler chooses the interval, two phases fit into the longest one.
    """
    machine = tolerance.machine
    epoch, wanted = machine.hac.epoch_cycles, machine.deskew.interval_epochs
    if tolerance.relative_ppm == 0 or wanted == 0:
        return 0
    if wanted == "auto":
        return tolerance.longest_interval_cycles // 2 - 2 * epoch
    return tolerance.checked_interval(wanted) - epoch


def _timeline(
    plan: WorkloadPlan,
    steps: list[Compute | Exchange],
    builder: ScheduleBuilder,
    selector: ExchangeSelector,
    longest_cycles: int,
) -> Timeline:
    """Return the timeline of one iteration."""
    chips = plan.group.chips
    if any(isinstance(step, Exchange) for step in steps):
        # The chips are never idle: they deskew as the first thing of each iteration.
        builder.deskew()
    scope = GraphScope(_staying(plan))
    for step in steps:
        if isinstance(step, Compute):
            flow = EntryDataflow(scope, chips, operations=step.operations)
            builder.compute(step, chips, flow)
            continue
        phases = selector.fastest(step, chips)
        flows = _PhaseFlows(step, phases, chips)
        for number, phase in enumerate(phases):
            flow = EntryDataflow(
                scope,
                chips,
                operations=partial(flows.sums, number),
                carried=partial(flows.carried, number),
            )
            shares = selector.shares(phase.messages, longest_cycles or None)
            for share in shares:
                whole = PhaseShare(phase.messages, share.rows)
                builder.send(
                    step.name,
                    share.messages,
                    flow._replace(whole=whole) if len(shares) > 1 else flow,
                )
            builder.compute(selector.added_up(phase, chips), chips, flow)
    return Timeline(
        entries=tuple(builder.entries),
        loads=tuple(builder.loads),
        spent=builder.spent,
        stage_cycles=(builder.now,),
        stage_hops=(builder.hops,),
        trains=builder.trains,
    )


@final
class _PhaseFlows:
    """Dataflow of the phases of an exchange, found when a program is emitted."""

    def __init__(
        self, exchange: Exchange, phases: tuple[Phase, ...], chips: Ints
    ) -> None:
        self._exchange = exchange
        self._phases = phases
        self._chips = chips

    @cached_property
    def _flows(self) -> tuple[PhaseDataflow, ...]:
        ends = member_hops(self._phases, self._chips)
        return exchange_dataflow(self._exchange, self._phases, ends, len(self._chips))

    def carried(self, number: int) -> tuple[Operand, ...]:
        """Return what the messages of a phase carry."""
        return self._flows[number].carried

    def sums(self, number: int) -> tuple[Operation, ...]:
        """Return what is added up after a phase."""
        return self._flows[number].sums


def _staying(plan: WorkloadPlan) -> frozenset[str]:
    """Return the names of the values that stay: matrices of weights."""
    return frozenset(
        name
        for tensor in plan.workload.tensors
        if tensor.role is Role.WEIGHTS
        for name in matrix_names(tensor)
    )


def _resident(plan: WorkloadPlan, chips: int) -> Resident:
    """Return the bytes that each chip keeps in SRAM throughout.

    Of inputs, activations and outputs that is the largest set alive at once.
    """
    resident = Resident(*np.zeros((len(Resident._fields), chips), dtype=np.int64))
    for bytes_, held in zip(resident, plan.group.memory, strict=True):
        bytes_[plan.group.chips] = held
    return resident


def _check_trains(trains: int, plan: WorkloadPlan) -> None:
    """Refuse a schedule whose trains do not fit into memory."""
    if trains > MOST_TRAINS:
        raise ScheduleError(
            f"{plan.workload.name} as {plan.strategy} takes {trains:,} trains for an "
            f"iteration or more, and {MOST_TRAINS:,} are what 5 GB of memory hold; use "
            f"fewer chips"
        )
