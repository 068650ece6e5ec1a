"""Schedule of one decode token: operators, exchanges and deskews in order."""

from functools import partial

from compiler.ir.timeline import Timeline
from compiler.ir.transfers import TransferModel
from compiler.routing.modulo_reservation_table import ModuloReservationTable
from compiler.scheduling.layer_cache import LayerCache
from compiler.scheduling.schedule_builder import ScheduleBuilder
from compiler.scheduling.stage_messages import stage_transfer, token_return
from compiler.scheduling.train_count import check_trains, trains_at_least
from sharding.operators.operators import Compute
from sharding.planner.plan import ShardingPlan
from topologies.topology import Topology


def token_timeline(
    plan: ShardingPlan,
    topology: Topology,
    transporter: TransferModel,
    *,
    interval_cycles: int,
    traffic: ModuloReservationTable | None = None,
) -> Timeline:
    """Return the chain of one decode token.

    Parameters
    ----------
    plan
        Who holds what.
    topology, transporter
        The wiring, and what schedules messages on it.
    interval_cycles
        Longest time between a deskew and a vector that relies on it, 0 for no deskews.
    traffic
        What else is on the links, if tokens follow each other; None if they do not.
    """
    check = partial(check_trains, width=plan.strategy.tensor, chips=plan.strategy.chips)
    check(trains_at_least(plan, topology))
    stall_cycles = plan.task.machine.hac.epoch_cycles
    chain = ScheduleBuilder(
        transporter,
        chip=plan.task.machine.chip,
        stall_cycles=stall_cycles,
        interval_cycles=interval_cycles,
        check=check,
        traffic=traffic,
    )
    back = token_return(plan)
    stage_cycles, stage_hops = [], []
    if len(plan.stages) == 1:
        # A single stage is never idle: it deskews as the first thing of each token. A
        # chip on its own has no other to be in step with.
        if len(plan.stages[0].chips) > 1:
            chain.deskew()
    elif len(back):
        # The first stage deskews before the last token comes back to it.
        chain.deskewed_cycle = -(
            stall_cycles + transporter.transport(back).duration_cycles
        )
    else:
        # Nothing comes back: it deskews before the pass begins.
        chain.deskewed_cycle = -stall_cycles
    layers = LayerCache(plan, topology, transporter)
    begin = 0
    for stage in plan.stages:
        hops = chain.hops
        for block in stage.blocks:
            for operator in layers.operators(block):
                if isinstance(operator, Compute):
                    chain.compute(operator, stage.chips)
                    continue
                for phase in layers.phases(operator, stage):
                    chain.send(operator.name, phase.messages)
                    chain.compute(layers.added_up(phase), stage.chips)
        if stage.index + 1 == len(plan.stages):
            chain.send("way_back", back)
            stage_cycles.append(chain.now - begin)
        else:
            following = plan.stages[stage.index + 1]
            chain.send("hand_over", stage_transfer(plan, stage, following))
            stage_cycles.append(chain.now - begin)
            begin = chain.entries[-1].start_cycle
            # Until it comes, the next stage has nothing to do but to load weights.
            chain.prefetch.restart()
            chain.prefetch.free(begin, chain.now)
            # The next stage has been idle: it deskews just before this hand-over.
            chain.deskewed_cycle = begin - stall_cycles
        stage_hops.append(chain.hops - hops)
    return Timeline(
        entries=tuple(chain.entries),
        loads=tuple(chain.loads),
        spent=chain.spent,
        stage_cycles=tuple(stage_cycles),
        stage_hops=tuple(stage_hops),
        trains=chain.trains,
    )
