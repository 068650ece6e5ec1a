"""From chains at a pace to the program that chips execute."""

from collections.abc import Sequence

import numpy as np

from chip.program import Program, Resident
from compiler.cost.guard_band import Tolerance
from compiler.ir.timeline import Timeline
from compiler.scheduling.deskew_insertion import place_deskews
from compiler.scheduling.initiation_interval import sequence_starts
from compiler.scheduling.software_pipelining import Lay, Pacing
from sharding.planner.plan import ShardingPlan
from specs.errors import ScheduleError
from specs.machine import MachineSpec
from topologies.topology import Topology


def assembled(
    plan: ShardingPlan,
    topology: Topology,
    chains: Sequence[Timeline],
    *,
    lay: Lay | None,
    tolerance: Tolerance,
    interval_cycles: int,
) -> tuple[Timeline, Program]:
    """Return the chain of all replicas, and the program that carries it out.

    Parameters
    ----------
    plan, topology
        Whose chips hold what, and the wiring.
    chains
        What each replica does.
    lay
        What lays the chains anew among each other's traffic, if anything can.
    tolerance
        The machine's clocks.
    interval_cycles
        How often chips deskew.

    Raises
    ------
    ScheduleError
        If some chip has no time for a RUNTIME_DESKEW.
    """
    machine = plan.task.machine
    stall_cycles = machine.hac.epoch_cycles
    for paced in Pacing(plan, topology, chains, lay).attempts():
        instructions, trains, kinds = paced.emitted
        deskews = place_deskews(
            instructions,
            interval_cycles=interval_cycles,
            longest_cycles=tolerance.longest_interval_cycles,
            stall_cycles=stall_cycles,
            period_cycles=paced.period_cycles,
            starts=sequence_starts(plan.sequences, paced.interval_cycles),
        )
        if deskews is not None:
            return paced.chain, Program(
                chips=topology.chips,
                instructions=instructions,
                trains=trains,
                kinds=kinds,
                resident=_resident(plan, topology.chips),
                deskews=deskews,
                period_cycles=paced.period_cycles,
                token_cycles=paced.chain.token_cycles,
                sequences=plan.sequences,
                interval_cycles=paced.interval_cycles,
                leader=int(plan.stages[0].chips[0]),
                guard_cycles=tolerance.guard_cycles(interval_cycles),
            )
    raise no_gap(machine, interval_cycles)


def no_gap(machine: MachineSpec, interval_cycles: int) -> ScheduleError:
    """Return the error that some chip cannot deskew as often as it must."""
    return ScheduleError(
        f"some chip has no gap of {machine.hac.epoch_cycles} cycles for a "
        f"RUNTIME_DESKEW within {interval_cycles} cycles of each vector; use a longer "
        f"deskew.interval_epochs or 'auto', or steadier crystals (clock.drift_ppm "
        f"below {machine.clock.drift_ppm:g})"
    )


def _resident(plan: ShardingPlan, chips: int) -> Resident:
    """Return what each chip keeps in SRAM from token to token.

    Sequences take their turns in a stage, so that one shard of the residual stream is
    there at a time.
    """
    kept = Resident(*np.zeros((len(Resident._fields), chips), dtype=np.int64))
    for stage in plan.stages:
        kept.weights[stage.chips] = stage.memory.weights
        kept.kv_cache[stage.chips] = stage.memory.kv_cache
        kept.activations[stage.chips] = plan.task.shard_bytes()
        kept.program[stage.chips] = stage.memory.program
    return kept
