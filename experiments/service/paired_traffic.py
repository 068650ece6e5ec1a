"""Paired traffic: requests whose prompts are on devices beside the machine."""

from typing import Any, NamedTuple

import numpy as np

from experiments.service.fleet_of import PreparedFleet, check_by_position
from serving.frame import frame_times
from serving.pairing.prefill import (
    PairedPrompts,
    crossing_bytes_per_token,
    device_prompt_ps,
    prefill,
)
from serving.requests.request_table import Outcome, RequestTable
from serving.results.served import Served
from specs.decode_work import decode_work
from specs.errors import SpecError
from specs.pairing import PairingSpec

_BYTES_PER_GB = 10**9
# What is said of a pairing where there is none.
NO_PAIRING: dict[str, Any] = {
    "kind": "none",
    "device": None,
    "devices": 0,
    "devices_utilisation": None,
    "link_utilisation": None,
    "sent_bytes": 0,
    "received_bytes": 0,
}


class PairedTraffic(NamedTuple):
    """Traffic whose prompts were on devices.

    Attributes
    ----------
    served
        What became of the requests.
    prompt_cycles
        For how long prompts occupied the devices, in cycles of the machine.
    facts
        What ``groqrack traffic`` says of the pairing.
    """

    served: Served
    prompt_cycles: int
    facts: dict[str, Any]


def serve_paired(
    prepared: PreparedFleet, requests: RequestTable, pairing: PairingSpec, seed: int
) -> PairedTraffic:
    """Return what becomes of requests whose prompts are on the devices of a pairing.

    Parameters
    ----------
    prepared
        The fleet that decodes.
    requests
        What users ask for.
    pairing
        Devices and link.
    seed
        Seed of the jitter of the devices.

    Raises
    ------
    RackError
        If the weights do not fit the devices, or the model keeps states that are of no
        position alone.
    """
    fleet, plan = prepared.fleet, prepared.prepared.plan
    task, served = plan.task, Served.empty(requests.arrival_ps)
    check_by_position(plan, "pairing")
    weights = decode_work(task.model, context=1, batch=1, weights=task.formats)
    room_gb = pairing.devices * pairing.peaks.memory_gb
    if weights.held_bytes > room_gb * _BYTES_PER_GB:
        raise SpecError(
            f"pairing: {task.model.name} has {weights.held_bytes / _BYTES_PER_GB:,.0f} "
            f"GB of weights and {pairing.devices} {pairing.device} hold {room_gb:,.0f} "
            f"GB; name more devices"
        )
    lengths = requests.prompt_tokens + requests.output_tokens
    fits = np.flatnonzero(lengths <= fleet.frame.context_tokens)
    served.outcome[:] = Outcome.TOO_LONG
    served.outcome[fits] = Outcome.COMPLETED
    times, clock = fleet.times, fleet.times.cycle_time
    here_ps = requests.arrival_ps + times.hosts_in_ps(requests.prompt_tokens)
    asked = requests._replace(
        arrival_ps=here_ps[fits],
        prompt_tokens=requests.prompt_tokens[fits],
        output_tokens=requests.output_tokens[fits],
        turns=requests.turns[fits],
    )
    mean = round(float(asked.prompt_tokens.mean())) if len(fits) else 1
    done = prefill(
        asked,
        pairing,
        frame_times(times, fleet.frame),
        clock,
        prompt_ps=lambda tokens: device_prompt_ps(task, pairing, tokens),
        bytes_per_token=crossing_bytes_per_token(task, mean),
        seed=seed,
    )
    served.replica[fits], served.slot[fits] = 0, done.slot
    served.cached_tokens[fits] = served.restored_tokens[fits] = 0
    served.ready_cycle[fits] = clock.first_cycle(asked.arrival_ps)
    begun = clock.first_cycle(done.computed_ps - done.device_ps)
    served.admitted_cycle[fits] = begun
    chosen = clock.first_cycle(done.computed_ps)
    turning = asked.turns > 0
    token_cycles = frame_times(times, fleet.frame).token_cycles
    served.chosen_cycle[fits] = chosen
    second = np.where(turning, done.turn_cycle + token_cycles, chosen)
    served.second_cycle[fits] = second
    served.end_cycle[fits] = np.where(turning, done.end_cycle, chosen)
    prompt_cycles = clock.first_cycle(int(done.device_ps.sum()))
    return PairedTraffic(served, prompt_cycles, _facts(pairing, asked, done))


def _facts(
    pairing: PairingSpec, asked: RequestTable, done: PairedPrompts
) -> dict[str, Any]:
    """Return what is said of a pairing."""
    span = 0
    if asked.size:
        span = int(done.crossed_ps.max() - asked.arrival_ps.min())

    def share(busy_ps: Any) -> float:
        return float(busy_ps.sum()) / span if span else 0.0

    return {
        "kind": pairing.kind.value,
        "device": pairing.peaks.name,
        "devices": pairing.devices,
        "devices_utilisation": share(done.device_ps),
        "link_utilisation": share(done.link_ps),
        "sent_bytes": int(done.sent_bytes.sum()),
        "received_bytes": int(done.received_bytes.sum()),
    }
