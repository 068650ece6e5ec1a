"""Prompts on devices: KV caches cross the link, and the machine decodes.

Devices compute one prompt at a time, in order of arrival; caches cross one after
another. A request then takes the next decode slot, in which it has a turn every frame,
as without a pairing.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from serving.cycle_time import CycleTime
from serving.frame import FrameTimes
from serving.requests.request_table import RequestTable
from serving.timetable.admission import WindowAdmission, Work
from sharding.weights.task import Task
from specs.arrays import Ints
from specs.decode_work import decode_work
from specs.pairing import PairingSpec
from specs.units import ceil_div


class PairedPrompts(NamedTuple):
    """What becomes of requests whose prompts are on the devices of a pairing.

    Arrays of shape ``(requests,)``.

    Attributes
    ----------
    computed_ps
        When the devices have computed the prompt, and with it the first token.
    crossed_ps
        When its KV cache is on the chips.
    slot
        Its decode slot.
    turn_cycle
        Start of its first decode turn.
    end_cycle
        When its last token is at the first stage; `turn_cycle` without turns.
    sent_bytes, received_bytes
        Bytes of its cache that left the devices, and that the chips decode with.
    device_ps, link_ps
        For how long devices and link were at work for it.
    """

    computed_ps: Ints
    crossed_ps: Ints
    slot: Ints
    turn_cycle: Ints
    end_cycle: Ints
    sent_bytes: Ints
    received_bytes: Ints
    device_ps: Ints
    link_ps: Ints


def device_prompt_ps(task: Task, pairing: PairingSpec, prompt_tokens: int) -> int:
    """Return the mean time of a prompt on the devices of a pairing, in ps.

    Parameters
    ----------
    task
        The model, and the formats of its weights.
    pairing
        The devices.
    prompt_tokens
        Positions of the prompt.
    """
    work = decode_work(
        task.model,
        context=prompt_tokens,
        batch=1,
        weights=task.formats,
        positions=prompt_tokens,
    )
    return pairing.device_ps(
        flop=work.flop, read_bytes=work.read_bytes, layers=task.model.layers
    )


def crossing_bytes_per_token(task: Task, prompt_tokens: int) -> int:
    """Return the bytes of keys and values of a prompt's position that cross the link.

    Each crosses once, also if several chips keep it.

    Parameters
    ----------
    task
        The model, and the format of its cache.
    prompt_tokens
        Positions of the prompt.
    """
    model = task.model
    attended = sum(
        model.attended_tokens(layer, prompt_tokens) for layer in range(model.layers)
    )
    size = task.cached_format.bytes_of(model.cached_size * attended)
    return ceil_div(size, prompt_tokens)


def prefill(
    requests: RequestTable,
    pairing: PairingSpec,
    times: FrameTimes,
    cycle_time: CycleTime,
    *,
    prompt_ps: Callable[[int], int],
    bytes_per_token: int,
    seed: int = 1,
) -> PairedPrompts:
    """Return what becomes of requests whose prompts are on devices.

    Parameters
    ----------
    requests
        What users ask for.
    pairing
        Link, and jitter of the devices.
    times, cycle_time
        Frame of the machine, without prompt windows, and its cycle.
    prompt_ps
        Returns the mean time of a prompt of so many tokens on the devices, in ps.
    bytes_per_token
        Bytes of keys and values of a position.
    seed
        Seed of the jitter.
    """
    count = requests.size
    random = np.random.default_rng(np.random.SeedSequence(seed))
    sigma = pairing.jitter
    factors = random.lognormal(-(sigma**2) / 2, sigma, count).tolist()
    arrivals, prompts = requests.arrival_ps.tolist(), requests.prompt_tokens.tolist()
    computed, crossed = np.zeros(count, np.int64), np.zeros(count, np.int64)
    on_device, on_link = np.zeros(count, np.int64), np.zeros(count, np.int64)
    device_free = link_free = 0
    for number, (arrival, prompt) in enumerate(zip(arrivals, prompts, strict=True)):
        on_device[number] = round(prompt_ps(prompt) * factors[number])
        device_free = max(device_free, arrival) + int(on_device[number])
        computed[number] = device_free
        on_link[number] = pairing.link.occupied_ps(prompt * bytes_per_token)
        link_free = max(link_free, device_free) + int(on_link[number])
        crossed[number] = link_free + pairing.link.latency_ps
    admission = WindowAdmission(times)
    placed = admission.place(
        # Caches cross in order, so that requests are placed in order.
        Work(cycle_time.first_cycle(at), 0, turns)
        for at, turns in zip(crossed.tolist(), requests.turns.tolist(), strict=True)
    )
    turn = np.array([each.turn_cycle for each in placed], dtype=np.int64)
    turns = requests.turns.astype(np.int64)
    lasting = np.maximum(turns - 1, 0) * times.frame_cycles + times.token_cycles
    cache = requests.prompt_tokens.astype(np.int64) * bytes_per_token
    decoded = np.where(cycle_time.ps(turn) >= crossed, cache, 0)
    return PairedPrompts(
        computed_ps=computed,
        crossed_ps=crossed,
        slot=np.array([each.slot for each in placed], dtype=np.int64),
        turn_cycle=turn,
        end_cycle=np.where(turns > 0, turn + lasting, turn),
        sent_bytes=cache,
        received_bytes=decoded,
        device_ps=on_device,
        link_ps=on_link,
    )
