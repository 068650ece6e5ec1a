"""Token scheduler: operators, exchanges and deskews of one decode token in order."""

from functools import partial

from compiler.ir.timeline import Timeline
from compiler.ir.transfers import TransferModel
from compiler.routing.modulo_reservation_table import ModuloReservationTable
from compiler.scheduling.layer_cache import LayerCache
from compiler.scheduling.schedule_builder import ScheduleBuilder
from compiler.scheduling.stage_messages import stage_transfer, token_return
from compiler.scheduling.train_count import check_trains, least_trains
from sharding.operators.operators import Compute
from sharding.planner.plan import ShardingPlan
from topologies.topology import Topology


def token_timeline(
    plan: ShardingPlan,
    topology: Topology,
    transfers: TransferModel,
    *,
    interval_cycles: int,
    reservations: ModuloReservationTable | None = None,
) -> Timeline:
    """Schedule one decode token and return its timeline.

    Parameters
    ----------
    plan
        Who holds what.
    topology, transfers
        The topology, and what schedules messages on it.
    interval_cycles
        Longest time between a deskew and a vector that relies on it, 0 for no deskews.
    reservations
        Links that other tokens and stages use, if tokens follow each other; None if
        they do not.

    Raises
    ------
    ScheduleError
        If the plan takes more trains than memory holds, or a phase does not fit into
        the deskew interval.
    """
    check = partial(check_trains, width=plan.strategy.tensor, chips=plan.strategy.chips)
    check(least_trains(plan, topology))
    stall_cycles = plan.task.machine.hac.epoch_cycles
    builder = ScheduleBuilder(
        transfers,
        chip=plan.task.machine.chip,
        stall_cycles=stall_cycles,
        interval_cycles=interval_cycles,
        check=check,
        reservations=reservations,
    )
    returned = token_return(plan)
    stage_cycles, stage_hops = [], []
    if len(plan.stages) == 1:
        # A single stage is never idle, so it deskews as the first thing of each token.
        # A chip on its own has no other to be in step with.
        if len(plan.stages[0].chips) > 1:
            builder.deskew()
    elif len(returned):
        # The first stage deskews before the last token comes back to it.
        builder.deskewed_cycle = -(
            stall_cycles + transfers.transport(returned).duration_cycles
        )
    else:
        # No token comes back, so the first stage deskews before the pass begins.
        builder.deskewed_cycle = -stall_cycles
    layers = LayerCache(plan, topology, transfers)
    begin = 0
    for stage in plan.stages:
        hops = builder.hops
        for block in stage.blocks:
            for operator in layers.operators(block):
                if isinstance(operator, Compute):
                    builder.compute(operator, stage.chips)
                    continue
                for phase in layers.phases(operator, stage):
                    builder.send(operator.name, phase.messages)
                    builder.compute(layers.reduction(phase, stage), stage.chips)
        if stage.index + 1 == len(plan.stages):
            builder.send("way_back", returned)
            stage_cycles.append(builder.now - begin)
        else:
            following = plan.stages[stage.index + 1]
            builder.send("hand_over", stage_transfer(plan, stage, following))
            stage_cycles.append(builder.now - begin)
            begin = builder.entries[-1].start_cycle
            # During the transfer the next stage can do nothing but load weights.
            builder.prefetch.restart()
            builder.prefetch.free(begin, builder.now)
            # The next stage has been idle: it deskews just before this transfer.
            builder.deskewed_cycle = begin - stall_cycles
        stage_hops.append(builder.hops - hops)
    return Timeline(
        entries=tuple(builder.entries),
        loads=tuple(builder.loads),
        spent=builder.spent,
        stage_cycles=tuple(stage_cycles),
        stage_hops=tuple(stage_hops),
        trains=builder.trains,
    )
