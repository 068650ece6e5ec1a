"""Fleet of a traffic file: its model planned, compiled and proven, as replicas."""

from typing import NamedTuple

from experiments.run.preparation import Prepared, plan_scenario
from experiments.run.scenario_inputs import scenario_of
from serving.compiled_times import (
    ServiceCompiler,
    bucket_contexts,
    cache_bytes_per_token,
)
from serving.fleet.fleet import CacheSizes, Fleet, FleetOutage, Transfer
from serving.fleet.limits import Limits
from serving.frame import Frame, Pace
from serving.service_times import ServiceTimes
from serving.traffic_file import FrameSpec, TrafficFile
from sharding.planner.plan import ShardingPlan
from specs.errors import PlanError, SpecError
from specs.units import NS_PER_S, US_PER_MS, US_PER_S, ceil_div


class PreparedFleet(NamedTuple):
    """A fleet, and the plan of one of its replicas."""

    prepared: Prepared
    fleet: Fleet


def prepare_fleet(file: TrafficFile) -> PreparedFleet:
    """Return the fleet of a traffic file, compiled and verified.

    Raises
    ------
    RackError
        If the model does not fit with its slots, or no schedule holds.
    """
    if file.frame is None:
        raise SpecError(
            "no [frame]: name slots and windows, or use groqrack plan --objective "
            "goodput to search for them"
        )
    prepared = prepare_replica(file, file.frame)
    times = replica_times(file, file.frame, prepared)
    return PreparedFleet(prepared, fleet_of(file, file.frame, prepared.plan, times))


def prepare_replica(file: TrafficFile, frame: FrameSpec) -> Prepared:
    """Return the plan of a replica with its slots.

    Raises
    ------
    RackError
        If it does not fit.
    """
    scenario = scenario_of(
        {
            "model": file.model,
            "machine": file.machine,
            "chips": file.chips,
            "topology": file.topology,
            "strategy": file.strategy,
            "settings": file.settings,
            "context": file.context,
            "sequences": frame.slots,
            "seed": file.seed,
        },
        "traffic",
    )
    return plan_scenario(scenario)


def replica_times(
    file: TrafficFile,
    frame: FrameSpec,
    prepared: Prepared,
    compiler: ServiceCompiler | None = None,
) -> ServiceTimes:
    """Return the service times of a replica, compiled and verified.

    Parameters
    ----------
    file, frame, prepared
        What is asked, the frame, and the plan of the replica.
    compiler
        What has compiled other frames of the replica.

    Raises
    ------
    RackError
        If a chunk does not fit, or no schedule holds.
    """
    bucket = file.context_bucket or file.context
    drafted = file.speculation.drafted_tokens if file.speculation else 0
    compiler = compiler or ServiceCompiler(prepared.topology)
    return compiler.times(
        prepared.plan,
        chunk_tokens=frame.chunk_tokens,
        contexts=bucket_contexts(file.context, bucket),
        drafted_tokens=drafted,
    )


def fleet_of(
    file: TrafficFile, frame: FrameSpec, plan: ShardingPlan, times: ServiceTimes
) -> Fleet:
    """Return the replicas of a traffic file with a frame, on compiled times.

    Raises
    ------
    RackError
        If a part is out of range, or cached positions do not fit in SRAM.
    """
    hz, cache, transfer = times.clock_hz, None, Transfer(0, 0)
    if file.cache is not None:
        check_by_position(plan, "cache")
        check_cache(plan, times, file.cache.sram_tokens)
        cache = CacheSizes(
            file.cache.block_tokens,
            file.cache.sram_tokens,
            file.cache.host_tokens,
            round(file.cache.expiry_s * hz),
        )
    if file.transfer is not None:
        check_by_position(plan, "transfer")
        per_token_ns = cache_bytes_per_token(plan) / file.transfer.gb_per_s
        transfer = Transfer(
            ceil_div(round(per_token_ns * hz), NS_PER_S),
            round(file.transfer.latency_us * hz / US_PER_S),
        )
    return Fleet(
        times=times,
        frame=Frame(
            slots=frame.slots,
            windows=frame.windows,
            chunk_tokens=frame.chunk_tokens,
            context_tokens=file.context,
            policy=frame.policy,
            pace=frame.pace or (Pace.CHUNK if frame.in_flight else Pace.TOKEN),
        ),
        replicas=file.replicas,
        router=file.router,
        in_flight=frame.in_flight,
        limits=Limits(**file.limits.model_dump()) if file.limits else None,
        flex_waiting=file.flex_waiting,
        cache=cache,
        outages=tuple(
            FleetOutage(
                each.replica,
                round(each.at_s * hz),
                round(each.duration_ms * US_PER_MS * hz / US_PER_S),
            )
            for each in file.outages
        ),
        transfer=transfer,
    )


def check_by_position(plan: ShardingPlan, part: str) -> None:
    """Refuse a part of a traffic file that needs what is kept of a position alone.

    Raises
    ------
    PlanError
        If the model keeps states of linear attention, which are of all positions.
    """
    model = plan.task.model
    if model.linear is not None:
        raise PlanError(
            f"{part}: {model.name} has linear attention, whose states are of all "
            f"positions of a sequence together; leave [{part}] out"
        )


def check_cache(plan: ShardingPlan, times: ServiceTimes, sram_tokens: int) -> None:
    """Refuse cached positions that do not fit beside weights and slots.

    Raises
    ------
    PlanError
        If they do not.
    """
    fullest = max(int(stage.memory.total.max()) for stage in plan.stages)
    free = plan.machine.chip.sram_bytes - fullest
    needed = sram_tokens * times.kv_bytes_per_token
    if needed > free:
        raise PlanError(
            f"cache: {sram_tokens:,} positions in SRAM take {needed:,} bytes on the "
            f"fullest chip, which has {free:,} free; use sram_tokens <= "
            f"{free // times.kv_bytes_per_token:,}, or fewer slots"
        )
