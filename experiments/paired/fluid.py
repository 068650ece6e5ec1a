"""Points of a paired case where prompts share time with decoding.

They are steady: as many requests begin as end, so that for each token of a user a share
of a prompt is due.
"""

from math import floor

import numpy as np

from experiments.paired.case import TRAFFIC, Case, Point
from experiments.paired.machine_alone import MachineAlone
from experiments.tables.columns import TableRow
from serving.cycle_time import CycleTime
from serving.pairing.attention import held_by_devices
from serving.pairing.prefill import prefill
from serving.requests.request_table import request_table
from specs.decode_work import decode_work
from specs.units import PS_PER_S, PS_PER_US, US_PER_MS

_REQUESTS = 2000
# Load at which times to the first token are drawn, in parts of the most.
_LOAD = 0.8


def alone(case: Case, machine: MachineAlone, users: int) -> Point | None:
    """Return the point of a paired case's machine alone, None without prompts on it."""
    if machine.window_cycles is None:
        return None
    windows = users * machine.windows_per_turn(case.chunk_tokens)
    work = users * machine.slot_cycles + windows * machine.window_cycles
    frame = max(machine.period_cycles, work)
    return Point(
        kind="none",
        users=users,
        step_ps=frame / case.hardware.chip.clock_hz * PS_PER_S,
        chips=case.chips,
        devices=0,
        machine_busy=work / frame,
    )


def prefilled(case: Case, machine: MachineAlone, users: int) -> Point:
    """Return the point of a paired case with prompts on devices, at the most load."""
    pair = case.pair
    frame = machine.frame(users).frame_cycles
    frame_ps = frame / case.hardware.chip.clock_hz * PS_PER_S
    cache = case.cache_bytes_per_token * TRAFFIC.prompt
    # For each token of each user.
    devices_ps = users * case.prompt_ps / TRAFFIC.answer
    link_ps = users * pair.link.occupied_ps(cache) / TRAFFIC.answer
    step_ps = max(frame_ps, devices_ps, link_ps)
    busy_ps = users * machine.slot_cycles / case.hardware.chip.clock_hz * PS_PER_S
    return Point(
        kind="prefill",
        users=users,
        step_ps=step_ps,
        chips=case.chips,
        devices=pair.devices,
        machine_busy=busy_ps / step_ps,
        devices_busy=devices_ps / step_ps,
        link_busy=link_ps / step_ps,
        link_bytes_per_token=cache / TRAFFIC.answer,
    )


def first_tokens(case: Case, machine: MachineAlone, users: int, seed: int) -> TableRow:
    """Return times to the first token of a paired case with prompts on devices.

    Requests come at random at four fifths of the most that it serves. The time is that
    until the second token may follow: the prompt, and its cache on the chips.
    """
    point = prefilled(case, machine, users)
    rate = _LOAD * users * point.per_user / TRAFFIC.answer
    random = np.random.default_rng(np.random.SeedSequence(seed))
    gaps = random.exponential(PS_PER_S / rate, _REQUESTS)
    requests = request_table(
        np.cumsum(gaps).astype(np.int64),
        np.full(_REQUESTS, TRAFFIC.prompt),
        np.full(_REQUESTS, TRAFFIC.answer),
    )
    clock = CycleTime.of(case.hardware.chip.clock_hz)
    done = prefill(
        requests,
        case.pair,
        machine.frame(users),
        clock,
        prompt_ps=lambda _: case.prompt_ps,
        bytes_per_token=case.cache_bytes_per_token,
        seed=seed,
    )
    assert (done.sent_bytes == done.received_bytes).all()
    first_ms = (done.computed_ps - requests.arrival_ps) / PS_PER_US / US_PER_MS
    handed_ms = (clock.ps(done.turn_cycle) - done.computed_ps) / PS_PER_US / US_PER_MS
    return {
        "p50_ttft_ms": float(np.percentile(first_ms, 50)),
        "p99_ttft_ms": float(np.percentile(first_ms, 99)),
        "p50_handover_ms": float(np.percentile(handed_ms, 50)),
        "p99_handover_ms": float(np.percentile(handed_ms, 99)),
    }


def devices_alone(case: Case, users: int) -> Point | None:
    """Return the point of a paired case's devices alone, None if they cannot hold it.

    A bound: all of them share each step evenly, and prompts fill what is left.
    """
    pair, task = case.pair, case.task(case.split(case.strategy), 1)
    work = decode_work(
        case.spec,
        context=TRAFFIC.context,
        batch=users,
        weights=task.formats,
        kv_cache=task.cached_format,
    )
    if work.held_bytes > pair.devices * pair.peaks.memory_gb * 1e9:
        return None
    step_ps = pair.device_ps(
        flop=work.flop, read_bytes=work.read_bytes, layers=case.spec.layers
    )
    step_ps += floor(users * case.prompt_ps / TRAFFIC.answer)
    return Point(
        kind="devices",
        users=users,
        step_ps=step_ps,
        chips=0,
        devices=pair.devices,
        devices_busy=1.0,
    )


def devices_hold(case: Case, users: int) -> bool:
    """Return whether the devices of a paired case hold attention and so many caches.

    They compute prompts, so that they hold all weights.
    """
    task = case.task(case.split(case.strategy), 1)
    weights = decode_work(case.spec, context=1, batch=1, weights=task.formats)
    held = weights.held_bytes + held_by_devices(task, users) - held_by_devices(task, 0)
    return held <= case.pair.devices * case.pair.peaks.memory_gb * 1e9
