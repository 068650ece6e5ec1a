"""Frame plan: the strategy and frame that serve the most requests within objectives."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, final

import numpy as np
import pandas as pd
from rich.console import Group
from rich.table import Table

from experiments.run.preparation import AUTO, Prepared, plan_scenario
from experiments.service.fleet_of import (
    PreparedFleet,
    fleet_of,
    prepare_replica,
    replica_times,
)
from experiments.service.traffic_run import TrafficRun, run_traffic
from serving.compiled_times import ServiceCompiler
from serving.frame import Policy
from serving.service_times import ServiceTimes
from serving.traffic_file import FrameSpec, TrafficFile
from sharding.planner.chunked_prefill import lacking_bytes
from sharding.planner.plan import fitting_plan
from specs.errors import PlanError, ScheduleError
from specs.scenario import Scenario

SCHEMA = "groqrack-fabric/frame-plan/1"
# Positions of a window, and windows in a frame, that are tried.
CHUNKS = (8, 16, 32, 64, 128)
WINDOWS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)
# Slots that are tried, in parts of the most that fit.
_SLOT_PARTS = (1.0, 0.75, 0.5, 0.25)
_MOST_SLOTS = 4096
# Requests that each frame is tried with.
TRIAL_REQUESTS = 2000


class TriedFrame(NamedTuple):
    """A frame that was tried, with what users see of it."""

    strategy: str
    slots: int
    windows: int
    chunk_tokens: int
    frame_ms: float
    request_goodput: float
    slo_attainment: float
    p99_ttft_ms: float | None
    p99_queue_ms: float | None
    output_throughput: float


@final
@dataclass(frozen=True, kw_only=True)
class FramePlan:
    """The best frame, and all that were tried.

    Parameters
    ----------
    file
        The traffic file with the frame.
    prepared
        Its fleet.
    tried
        All frames, the best first: by goodput, then by the slowest first tokens.
    refused
        Why frames could not be compiled, by strategy, slots and chunk.
    """

    file: TrafficFile
    prepared: PreparedFleet
    tried: tuple[TriedFrame, ...]
    refused: dict[str, str]


def best_frame(
    file: TrafficFile,
    *,
    chunks: tuple[int, ...] = CHUNKS,
    windows: tuple[int, ...] = WINDOWS,
    slots: tuple[int, ...] = (),
    requests: int = TRIAL_REQUESTS,
) -> FramePlan:
    """Return the frame that serves the most requests within the file's objectives.

    Every combination of slots, windows and chunks is served with the same first
    requests of the traffic. With strategy ``auto`` the strategies are the fastest one
    and the one of the most throughput.

    Parameters
    ----------
    file
        What is asked; its frame is not looked at.
    chunks, windows
        Positions of a window, and windows in a frame, to try.
    slots
        Slots to try; from one a stage to as many as fit if none are named.
    requests
        Requests to try each frame with at most.

    Raises
    ------
    RackError
        If no frame can be compiled.
    """
    trial = file.traffic.model_copy(
        update={"requests": min(requests, file.traffic.requests)}
    )
    tried: list[tuple[TriedFrame, TrafficFile, PreparedFleet]] = []
    refused: dict[str, str] = {}
    for strategy in _strategies(file):
        own = file.model_copy(update={"strategy": strategy, "traffic": trial})
        for frame, prepared, times in _compiled(own, chunks, slots, refused):
            for count in windows:
                spec = frame.model_copy(update={"windows": count})
                made = own.model_copy(update={"frame": spec})
                fleet = fleet_of(made, spec, prepared.plan, times)
                run = run_traffic(made, prepared=PreparedFleet(prepared, fleet))
                tried.append((_tried(run), made, run.prepared))
    if not tried:
        first = next(iter(refused.items()), ("", "nothing was tried"))
        raise PlanError(f"no frame can be compiled: {': '.join(first)}")
    tried.sort(key=lambda each: _order(each[0]))
    _, made, prepared_fleet = tried[0]
    return FramePlan(
        file=made.model_copy(update={"traffic": file.traffic}),
        prepared=prepared_fleet,
        tried=tuple(each for each, _, _ in tried),
        refused=refused,
    )


def _order(frame: TriedFrame) -> tuple[float, float, int]:
    """Return what orders frames: goodput, then slow first tokens, then slots."""
    return (-frame.request_goodput, frame.p99_ttft_ms or 0.0, frame.slots)


def _strategies(file: TrafficFile) -> list[str]:
    """Return the strategies to try."""
    if file.strategy != AUTO:
        return [file.strategy]
    found: dict[str, None] = {}
    for objective in ("latency", "throughput"):
        scenario = Scenario(
            model=file.model,
            machine=file.machine,
            chips=file.chips,
            topology=file.topology,
            strategy=AUTO,
            objective=objective,
            settings=file.settings,
            context=file.context,
        )
        found[str(plan_scenario(scenario).plan.strategy)] = None
    return list(found)


def _compiled(
    file: TrafficFile,
    chunks: tuple[int, ...],
    named: tuple[int, ...],
    refused: dict[str, str],
) -> Iterator[tuple[FrameSpec, Prepared, ServiceTimes]]:
    """Yield the slots and chunks of a strategy that can be compiled."""
    counts = named or _slot_counts(file)
    compiler: ServiceCompiler | None = None
    for slots in counts:
        for chunk in chunks:
            if chunk > file.context:
                continue
            frame = FrameSpec(slots=slots, windows=1, chunk_tokens=chunk)
            try:
                prepared = prepare_replica(file, frame)
                compiler = compiler or ServiceCompiler(prepared.topology)
                times = replica_times(file, frame, prepared, compiler)
            except (PlanError, ScheduleError) as error:
                refused[f"{file.strategy}, {slots} slots, chunks of {chunk}"] = str(
                    error
                )
                continue
            yield frame, prepared, times


def _slot_counts(file: TrafficFile) -> tuple[int, ...]:
    """Return the slots to try: one a stage, and parts of the most that fit."""
    most = most_slots(file)
    stages = prepare_replica(file, FrameSpec(slots=1)).plan.strategy.pipeline
    # A sequence in each stage fills the pipeline; more are served in turns.
    parts = {max(1, round(part * most)) for part in _SLOT_PARTS}
    return tuple(sorted(parts | {min(stages, most)}))


def most_slots(file: TrafficFile, chunk_tokens: int = 0) -> int:
    """Return the most sequences whose KV caches fit beside the weights.

    A pass of so many positions of a prompt must fit beside them, 0 for none.

    Raises
    ------
    RackError
        If not even one fits.
    """
    plan = prepare_replica(file, FrameSpec(slots=1)).plan
    chips = np.concatenate([stage.chips for stage in plan.stages])
    chunk = plan.task._replace(query_tokens=chunk_tokens, answer_tokens=1)
    low, high = 1, _MOST_SLOTS
    while low < high:
        middle = (low + high + 1) // 2
        fitting = fitting_plan(plan.task, plan.strategy, chips, sequences=middle)
        fits = fitting is not None and not (
            chunk_tokens and lacking_bytes(fitting, chunk) > 0
        )
        low, high = (middle, high) if fits else (low, middle - 1)
    return low


def _tried(run: TrafficRun) -> TriedFrame:
    """Return what users see of a frame."""
    frame, facts = run.prepared.fleet.frame, run.summary
    clock_hz = run.prepared.fleet.times.clock_hz
    return TriedFrame(
        strategy=run.file.strategy,
        slots=frame.slots,
        windows=frame.windows,
        chunk_tokens=frame.chunk_tokens,
        frame_ms=run.frame_times.frame_cycles / clock_hz * 1e3,
        request_goodput=facts["request_goodput"],
        slo_attainment=facts["slo_attainment"],
        p99_ttft_ms=facts["p99_ttft_ms"],
        p99_queue_ms=facts["p99_queue_ms"],
        output_throughput=facts["output_throughput"],
    )


def frame_plan_document(plan: FramePlan) -> dict[str, Any]:
    """Return what ``groqrack plan --objective goodput --json`` prints."""
    best = plan.tried[0]
    return {
        "schema": SCHEMA,
        "objective": "goodput",
        "slo": plan.file.slo.model_dump(),
        "strategy": best.strategy,
        "frame": {
            "policy": Policy.WINDOWS.value,
            **{name: getattr(best, name) for name in ("slots", "windows")},
            "chunk_tokens": best.chunk_tokens,
            "frame_ms": best.frame_ms,
        },
        "tried": [each._asdict() for each in plan.tried],
        "refused": plan.refused,
    }


def frame_plan_report(plan: FramePlan, *, rows: int = 8) -> Group:
    """Return the best frame and those that come next as a table.

    Parameters
    ----------
    plan
        What was found.
    rows
        Frames to show.
    """
    best = plan.tried[0]
    table = Table(box=None, pad_edge=False)
    for name in ("slots", "windows", "chunk", "frame ms", "goodput/s", "met"):
        table.add_column(name, justify="right")
    table.add_column("p99 ttft ms", justify="right")
    table.add_column("limited by")
    for each in plan.tried[:rows]:
        late = "-" if each.p99_ttft_ms is None else f"{each.p99_ttft_ms:,.1f}"
        table.add_row(
            *(f"{each.slots}", f"{each.windows}", f"{each.chunk_tokens}"),
            *(f"{each.frame_ms:,.3f}", f"{each.request_goodput:,.2f}"),
            *(f"{each.slo_attainment:.1%}", late, limit(plan.file, each)),
        )
    text = (
        f"{best.strategy}, {best.slots} slots and {best.windows} windows of "
        f"{best.chunk_tokens} positions: {best.request_goodput:,.2f} requests/s within "
        f"the objectives\nthe best of {len(plan.tried)} frames that were tried, "
        f"{len(plan.refused)} could not be compiled\n"
    )
    return Group(text, table)


def limit(file: TrafficFile, frame: TriedFrame) -> str:
    """Return in words what keeps a frame from meeting all objectives."""
    if frame.slo_attainment == 1:
        return "nothing"
    if file.slo.tpot_ms and frame.frame_ms > file.slo.tpot_ms:
        return "frame"
    waits = (frame.p99_queue_ms or 0) * 2 > (frame.p99_ttft_ms or 0)
    return "queue" if waits else "pass"


def frame_table(plan: FramePlan) -> pd.DataFrame:
    """Return all frames that were tried as rows, the best first."""
    return pd.DataFrame([each._asdict() for each in plan.tried])
