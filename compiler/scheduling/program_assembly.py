"""Program assembly: from timelines at an interval to the program that chips execute."""

from collections.abc import Sequence

import numpy as np

from chip.dataflow import Pass
from chip.program import Program, Resident
from compiler.cost.guard_band import Tolerance
from compiler.ir.dataflow_emission import emit_dataflow
from compiler.ir.timeline import Timeline
from compiler.passes.pass_of import AnyPlan
from compiler.scheduling.deskew_insertion import place_deskews
from compiler.scheduling.initiation_interval import sequence_starts
from compiler.scheduling.software_pipelining import Reschedule, SoftwarePipeliner
from specs.errors import ScheduleError
from specs.machine import MachineSpec
from topologies.topology import Topology


def assemble_program(
    plan: AnyPlan,
    topology: Topology,
    timelines: Sequence[Timeline],
    *,
    reschedule: Reschedule | None,
    tolerance: Tolerance,
    interval_cycles: int,
    passes: Sequence[Pass],
    pass_plans: Sequence[AnyPlan] = (),
    stated: bool = True,
    together: int = 1,
) -> tuple[Timeline, Program]:
    """Return the scheduled timeline of all replicas, and the program that executes it.

    Parameters
    ----------
    plan, topology
        Whose chips hold what, and the topology.
    timelines
        The token of each replica.
    reschedule
        What schedules the tokens again on links that others use; None if they stay as
        they are.
    tolerance
        The machine's clocks.
    interval_cycles
        How often chips deskew.
    passes
        Passes of the model in the timelines, by number.
    pass_plans
        Plan of each pass, where a token has several.
    stated
        Whether the program states its dataflow.
    together
        Most passes that a stage holds at a time.

    Raises
    ------
    ScheduleError
        If some chip has no time for a RUNTIME_DESKEW.
    """
    machine = plan.machine
    stall_cycles = machine.hac.epoch_cycles
    pipeliner = SoftwarePipeliner(plan, topology, timelines, reschedule)
    for token in pipeliner.attempts():
        instructions, trains, kinds = token.emitted
        deskews = place_deskews(
            instructions,
            interval_cycles=interval_cycles,
            longest_cycles=tolerance.longest_interval_cycles,
            stall_cycles=stall_cycles,
            period_cycles=token.period_cycles,
            starts=sequence_starts(plan.sequences, token.interval_cycles),
        )
        if deskews is not None:
            return token.timeline, Program(
                chips=topology.chips,
                instructions=instructions,
                trains=trains,
                kinds=kinds,
                resident=_resident([plan, *pass_plans], topology.chips, together),
                deskews=deskews,
                period_cycles=token.period_cycles,
                token_cycles=token.timeline.token_cycles,
                sequences=plan.sequences,
                interval_cycles=token.interval_cycles,
                leader=int(plan.stages[0].chips[0]),
                guard_cycles=tolerance.guard_cycles(interval_cycles),
                dataflow=emit_dataflow(token.timeline, passes) if stated else None,
            )
    raise no_deskew_gap(machine, interval_cycles)


def no_deskew_gap(machine: MachineSpec, interval_cycles: int) -> ScheduleError:
    """Return the error of scheduling a chip without a gap for a deskew that is due."""
    return ScheduleError(
        f"some chip has no gap of {machine.hac.epoch_cycles} cycles for a "
        f"RUNTIME_DESKEW within {interval_cycles} cycles of each vector; use a longer "
        f"deskew.interval_epochs or 'auto', or steadier crystals (clock.drift_ppm "
        f"below {machine.clock.drift_ppm:g})"
    )


def _resident(plans: Sequence[AnyPlan], chips: int, together: int) -> Resident:
    """Return the bytes that each chip keeps in SRAM, the most of any pass.

    Of activations that is what a stage keeps between passes of several sequences, and
    of each of the passes that it holds at a time. A
    chunk of a prompt keeps the positions of all windows of its queries.
    """
    resident = Resident(*np.zeros((len(Resident._fields), chips), dtype=np.int64))
    for plan in plans:
        for stage in plan.stages:
            memory = stage.memory
            held = (
                memory.weights,
                memory.kv_cache,
                together * plan.kept_bytes(stage.index),
                memory.program,
            )
            for most, own in zip(resident, held, strict=True):
                most[stage.chips] = np.maximum(most[stage.chips], own)
    return resident
