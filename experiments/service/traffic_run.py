"""Run of traffic: the requests of a traffic file on its fleet, and what users see."""

import time
from dataclasses import dataclass
from typing import Any, final

import pandas as pd

from experiments.run.version import VERSION
from experiments.service.fleet_of import PreparedFleet, prepare_fleet
from experiments.service.paired_traffic import NO_PAIRING, serve_paired
from serving.frame import FrameTimes, Policy, frame_times
from serving.requests.traffic_spec import Traffic, TurnLaw, traffic
from serving.results.records import request_records
from serving.results.served import Served
from serving.results.slo import Slo
from serving.results.summary import traffic_summary
from serving.timetable.engine import serve
from serving.traffic_file import TrafficFile
from specs.bounds import MOST_REQUESTS_OF_EVENTS
from specs.errors import SpecError
from specs.short_repr import html_table, short_repr
from specs.units import PS_PER_S

SCHEMA = "groqrack-fabric/traffic/1"
ENGINES = ("timetable", "simpy")


@final
@dataclass(frozen=True, kw_only=True)
class TrafficRun:
    """Traffic that has been served.

    Parameters
    ----------
    file, prepared
        What was asked, and the fleet that served.
    traffic, served
        Requests, and what became of them.
    records, summary
        A row for each request, and the field's measures.
    engine
        What served them.
    pairing
        What devices beside the machine did.
    compile_s, wall_s
        Seconds that compilation and serving took.
    """

    file: TrafficFile
    prepared: PreparedFleet
    traffic: Traffic
    served: Served
    records: pd.DataFrame
    summary: dict[str, Any]
    engine: str
    pairing: dict[str, Any]
    compile_s: float
    wall_s: float

    __repr__ = short_repr
    _repr_html_ = html_table

    @property
    def frame_times(self) -> FrameTimes:
        """Return the times of the frame at its full context."""
        fleet = self.prepared.fleet
        return frame_times(fleet.times, fleet.frame)


def run_traffic(
    file: TrafficFile,
    *,
    engine: str = "timetable",
    prepared: PreparedFleet | None = None,
) -> TrafficRun:
    """Return the run of a traffic file.

    Parameters
    ----------
    file
        What is asked.
    engine
        ``timetable``, or ``simpy``, the reference.
    prepared
        Its fleet, if that is compiled already.

    Raises
    ------
    RackError
        If it cannot be meant, does not fit, or no schedule holds.
    """
    if engine == "simpy" and file.traffic.requests > MOST_REQUESTS_OF_EVENTS:
        raise SpecError(
            f"traffic.requests = {file.traffic.requests:,}: engine simpy serves some "
            f"300 requests a second; use at most {MOST_REQUESTS_OF_EVENTS:,}, or "
            f"engine timetable, which gives the same times"
        )
    law = TurnLaw()
    if file.speculation is not None:
        law = TurnLaw(file.speculation.drafted_tokens, file.speculation.acceptance)
    if file.prompts_on_devices and engine == "simpy":
        raise SpecError(
            "--engine simpy has no devices of a pairing; use the timetable, or "
            "pairing.kind = none"
        )
    # A trace that cannot be read is refused before anything is compiled.
    coming = traffic(
        file.traffic,
        seed=file.seed,
        block_tokens=file.cache.block_tokens if file.cache else 0,
        law=law,
    )
    began = time.perf_counter()
    prepared = prepared or prepare_fleet(file)
    fleet, compiled = prepared.fleet, time.perf_counter()
    pairing, prompt_cycles = NO_PAIRING, None
    if file.pairing is not None and file.prompts_on_devices:
        served, prompt_cycles, pairing = serve_paired(
            prepared, coming.requests, file.pairing, file.seed
        )
    else:
        served = _serve(engine)(
            fleet, coming.requests, max_concurrency=file.traffic.max_concurrency
        )
    slo = Slo(**file.slo.model_dump())
    records = request_records(
        fleet, coming.requests, served, model=prepared.prepared.name, slo=slo
    )
    measures = traffic_summary(
        fleet, coming.requests, served, records, prompt_cycles=prompt_cycles
    )
    measures["failed"] += coming.failed_in_trace
    return TrafficRun(
        file=file,
        prepared=prepared,
        traffic=coming,
        served=served,
        records=records,
        summary=measures,
        engine=engine,
        pairing=pairing,
        compile_s=compiled - began,
        wall_s=time.perf_counter() - compiled,
    )


def _serve(engine: str) -> Any:
    """Return the function that serves requests with an engine."""
    if engine == "simpy":
        from serving.events.engine import serve_by_events  # noqa: PLC0415

        return serve_by_events
    return serve


def traffic_document(run: TrafficRun) -> dict[str, Any]:
    """Return what ``groqrack traffic --json`` prints."""
    fleet, times = run.prepared.fleet, run.frame_times
    frame, compiled = fleet.frame, fleet.times
    return {
        "schema": SCHEMA,
        "inputs": run.file.model_dump(mode="json"),
        "frame": {
            "policy": frame.policy.value,
            "pace": frame.pace.value,
            "slots": frame.slots,
            "windows": frame.windows,
            "chunk_tokens": frame.chunk_tokens,
            "context_tokens": frame.context_tokens,
            "frame_cycles": times.frame_cycles,
            "slot_cycles": times.slot_cycles,
            "window_cycles": times.window_cycles,
            "pass_cycles": times.pass_cycles,
            "token_cycles": times.token_cycles,
            "tokens_per_s_per_user": compiled.clock_hz / times.frame_cycles,
            "tokens_per_s": compiled.clock_hz / times.frame_cycles * times.slots,
            "tokens_per_s_without_prompts": compiled.clock_hz
            / int(compiled.period_cycles[-1])
            * times.slots,
            "prompt_tokens_per_s": prompt_rate(run),
            "decode_certificates": list(compiled.decode_certificates),
            "chunk_certificates": list(compiled.chunk_certificates),
        },
        "pairing": run.pairing,
        "chips": run.file.chips * run.file.replicas,
        **run.summary,
        "run": {
            "engine": run.engine,
            "seed": run.file.seed,
            "compile_s": run.compile_s,
            "wall_s": run.wall_s,
            "version": VERSION,
        },
    }


def prompt_rate(run: TrafficRun) -> float | None:
    """Return the positions of prompts per second that the windows of a frame take.

    None where prompts have no windows of their own.
    """
    if run.prepared.fleet.frame.policy is not Policy.WINDOWS:
        return None
    fleet, times = run.prepared.fleet, run.frame_times
    per_frame = times.windows * fleet.frame.chunk_tokens
    frame_ps = fleet.times.cycle_time.ps(times.frame_cycles)
    return per_frame * PS_PER_S / frame_ps
