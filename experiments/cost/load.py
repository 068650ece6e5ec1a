"""Load of a machine: tokens per second, users, shares of stage time, and power.

The time of the first stage is what tokens compete for. What prompts and answers take of
it is how they share a cost.
"""

from typing import Any, NamedTuple

import numpy as np

from compiler.energy.standing_power import StandingPower, standing_power
from experiments.run.energy import energy_of
from experiments.run.preparation import Prepared, compile_prepared
from experiments.service.fleet_of import PreparedFleet
from experiments.service.traffic_run import TrafficRun
from serving.fleet.fleet import Fleet
from serving.frame import Policy, frame_times
from serving.requests.request_table import Outcome
from specs.errors import SpecError


class Load(NamedTuple):
    """Load of a machine.

    Attributes
    ----------
    kind
        ``traffic``: requests that were served. ``full frames``: a user in every slot
        and a prompt in every window, all the time. ``full pipeline``: a user in every
        slot, and no prompts.
    model, machine, strategy
        What is served on what.
    chips
        Chips of all replicas.
    input_tokens_per_s, output_tokens_per_s
        Positions of prompts, and tokens of answers.
    users
        Requests between arrival and last token, in the mean.
    input_share
        Share of prompts in the stage time that is used; None if they run elsewhere.
    average_power_w, idle_power_w, tdp_power_w
        Chips and optics: at this load, with nothing to do, and with chips at their
        thermal design power; None where unpublished.
    """

    kind: str
    model: str
    machine: str
    strategy: str
    chips: int
    input_tokens_per_s: float
    output_tokens_per_s: float
    users: float
    input_share: float | None
    average_power_w: float | None
    idle_power_w: float | None
    tdp_power_w: float | None


class _Work(NamedTuple):
    """Passes per second of all replicas, and the cycles of stage time of each."""

    chunks_per_s: float
    turns_per_s: float
    chunk_cycles: int
    turn_cycles: int

    @property
    def input_share(self) -> float:
        """Return the share of prompts in the stage time that is used."""
        prompts = self.chunks_per_s * self.chunk_cycles
        used = prompts + self.turns_per_s * self.turn_cycles
        return prompts / used if used else 0.0


def traffic_load(run: TrafficRun) -> Load:
    """Return the load of traffic that was served.

    Raises
    ------
    SpecError
        If no request was completed.
    """
    if run.pairing["devices"]:
        raise SpecError(
            f"{run.pairing['devices']} {run.pairing['device']} have the prompts, and "
            f"neither their price nor their power is counted here; use pairing.kind = "
            f"none"
        )
    fleet, facts = run.prepared.fleet, run.summary
    seconds = facts["duration_s"]
    if not seconds:
        raise SpecError(
            "no request was completed, so that no token has a cost; offer requests "
            "that fit the context and the limits"
        )
    done = run.served.outcome == Outcome.COMPLETED
    requests = run.traffic.requests
    positions = requests.prompt_tokens[done] - run.served.cached_tokens[done]
    chunks = -(-positions // fleet.frame.chunk_tokens)
    waits_s = run.records.loc[done, "e2el_ps"].to_numpy() / 1e12
    work = _work(
        fleet, int(chunks.sum()) / seconds, int(requests.turns[done].sum()) / seconds
    )
    return _load(
        "traffic",
        run.prepared,
        work,
        input_tokens_per_s=facts["total_input"] / seconds,
        output_tokens_per_s=facts["output_throughput"],
        users=float(waits_s.sum()) / seconds,
    )


def frame_load(prepared: PreparedFleet) -> Load | None:
    """Return the load of full frames; None unless prompts have windows of a frame."""
    fleet = prepared.fleet
    if fleet.frame.policy is not Policy.WINDOWS or fleet.times.turn_tokens > 1:
        return None
    times = frame_times(fleet.times, fleet.frame)
    frames_per_s = fleet.replicas * fleet.times.clock_hz / times.frame_cycles
    work = _work(fleet, times.windows * frames_per_s, times.slots * frames_per_s)
    return _load(
        "full frames",
        prepared,
        work,
        input_tokens_per_s=work.chunks_per_s * fleet.frame.chunk_tokens,
        output_tokens_per_s=work.turns_per_s,
        users=float(times.slots * fleet.replicas),
    )


def pipeline_load(prepared: Prepared) -> Load:
    """Return the load of a full pipeline without prompts.

    Parameters
    ----------
    prepared
        A model planned for its sequences in flight.

    Raises
    ------
    RackError
        If the model makes no tokens, or no schedule holds.
    """
    if not prepared.makes_tokens:
        raise SpecError(
            f"{prepared.name} is an encoder and makes no tokens; name a model that "
            f"decodes"
        )
    program = compile_prepared(prepared).program
    strategy = prepared.plan.strategy
    batch = prepared.scenario.batch * strategy.data
    passes = prepared.machine.chip.clock_hz * program.sequences / program.period_cycles
    energy = energy_of(
        program,
        prepared.topology,
        prepared.machine,
        tokens_per_s=passes * batch,
        tokens_per_pass=batch,
    )
    return Load(
        kind="full pipeline",
        model=prepared.name,
        machine=prepared.machine.name,
        strategy=str(strategy),
        chips=prepared.scenario.chips,
        input_tokens_per_s=0.0,
        output_tokens_per_s=passes * batch,
        users=float(program.sequences * batch),
        input_share=0.0,
        average_power_w=energy.average_power_w,
        idle_power_w=energy.idle_power_w,
        tdp_power_w=energy.tdp_power_w,
    )


def _work(fleet: Fleet, chunks_per_s: float, turns_per_s: float) -> _Work:
    """Return the passes of a load, with what they take at the frame's full context."""
    times = frame_times(fleet.times, fleet.frame)
    # A prompt in its own slot takes a turn of it for each chunk.
    own_slot = fleet.frame.policy is Policy.SLOTS
    chunk = times.slot_cycles if own_slot else times.window_cycles
    return _Work(chunks_per_s, turns_per_s, chunk, times.slot_cycles)


def _load(kind: str, prepared: PreparedFleet, work: _Work, **rates: float) -> Load:
    """Return the load of passes and rates on a fleet."""
    plan, fleet = prepared.prepared.plan, prepared.fleet
    machine = prepared.prepared.machine
    apart = fleet.frame.policy is Policy.APART
    standing = _standing(prepared.prepared)
    dynamic_w = _dynamic_w(fleet, work, chunks=not apart)

    def of_all(watts: float | None, more: float = 0.0) -> float | None:
        return None if watts is None else watts * fleet.replicas + more

    return Load(
        kind=kind,
        model=prepared.prepared.name,
        machine=machine.name,
        strategy=str(plan.strategy),
        chips=prepared.prepared.scenario.chips * fleet.replicas,
        input_share=None if apart else work.input_share,
        average_power_w=of_all(standing.idle, dynamic_w),
        idle_power_w=of_all(standing.idle),
        tdp_power_w=of_all(standing.tdp),
        **_named(rates),
    )


def _named(rates: dict[str, float]) -> dict[str, Any]:
    """Return the rates of a load by field."""
    return {name: float(value) for name, value in rates.items()}


def _standing(prepared: Prepared) -> StandingPower:
    """Return the standing power of a replica: its chips are those with weights."""
    used = np.zeros(prepared.topology.chips, dtype=bool)
    for stage in prepared.plan.stages:
        used[stage.chips] = True
    return standing_power(prepared.machine, prepared.topology, used)


def _dynamic_w(fleet: Fleet, work: _Work, *, chunks: bool) -> float:
    """Return what the operations of a load draw, at the largest context."""
    times = fleet.times
    assert times.turn_j is not None
    assert times.chunk_j is not None
    watts = work.turns_per_s * float(times.turn_j[-1])
    if chunks:
        watts += work.chunks_per_s * float(times.chunk_j[-1])
    return watts
