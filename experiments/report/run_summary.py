"""Summary of a run: one frozen value for the report, the files and the rows of sweeps.

Its JSON document is what ``groqrack simulate --json`` prints; the keys are a contract.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from experiments.report.records import (
    FaultCounts,
    IterationFacts,
    LatencyDistribution,
    RunFacts,
    RunSummary,
    ScheduleFacts,
    TokenRates,
    ViolationCounts,
)
from experiments.report.subjects import (
    inputs_block,
    machine_facts,
    model_facts,
    plan_facts,
)
from experiments.run.context_buckets import bucket_facts
from experiments.run.energy import run_energy
from experiments.run.preparation import Prepared
from experiments.run.prompt import prefill_facts
from experiments.run.scenario import Run
from experiments.run.version import VERSION
from experiments.run.workload import workload_facts
from experiments.tables.token_columns import token_columns
from fabric.results.result import FAILOVER_PARTS, Failover
from specs.arrays import Ints
from specs.units import PS_PER_NS, PS_PER_S, PS_PER_US

SCHEMA = "groqrack-fabric/simulate/1"


def summarise(run: Run) -> RunSummary:
    """Return the summary of a run, which its report and its JSON document show."""
    prepared, result, program = run.prepared, run.result, run.schedule.program
    certificate = run.certificate
    tokens = token_columns(run)
    rates = _rates(run, prepared, tokens) if isinstance(prepared, Prepared) else None
    return RunSummary(
        schema=SCHEMA,
        inputs=inputs_block(prepared.scenario),
        model=model_facts(prepared) if isinstance(prepared, Prepared) else None,
        workload=None if isinstance(prepared, Prepared) else workload_facts(prepared),
        machine=machine_facts(prepared),
        plan=plan_facts(prepared),
        schedule=ScheduleFacts(
            instructions=len(program.instructions),
            trains=len(program.trains),
            vectors=int(program.trains.vectors.sum()),
            latency_cycles=program.token_cycles,
            turn_cycles=program.turn_cycles,
            lower_bound_cycles=run.schedule.lower_bound_cycles,
            hidden_cycles=run.schedule.timeline.hidden_cycles,
            guard_cycles=program.guard_cycles,
            deskew_interval_cycles=program.deskews.interval_cycles,
            sequence_interval_cycles=program.interval_cycles,
            certificate=certificate.digest if certificate else None,
            checks=sum(certificate.checks.values()) if certificate else 0,
        ),
        iteration=IterationFacts(
            count=len(tokens["latency_ps"]),
            latency_ns=latency_distribution(tokens["latency_ps"]),
            breakdown_cycles={
                **run.breakdown._asdict(),
                "replay": _mean_cycles(run, tokens["replay_ps"]),
                "failover": _mean_cycles(run, tokens["failover_ps"]),
            },
        ),
        prefill=prefill_facts(run.prompt) if run.prompt else None,
        buckets=bucket_facts(run.buckets) if run.prompt else None,
        token=rates,
        energy=run_energy(run, rates.tokens_per_s_pipeline if rates else None),
        faults=FaultCounts(
            error_model=prepared.machine.link.errors,
            fec_corrected=int(result.links.corrected.sum()),
            fec_uncorrectable=int(result.links.uncorrectable.sum()),
            replays=result.replays,
            failovers=len(result.failovers),
            tokens_lost=result.tokens_lost,
            trains_lost=int(result.links.lost.sum()),
            failover_us=sum(each.duration_ps for each in result.failovers) / PS_PER_US,
            failover_parts_us=_failover_parts_us(result.failovers),
            missing=[each._asdict() for each in result.missing],
        ),
        violations=ViolationCounts(
            underflow=result.underflows, overflow=result.overflows
        ),
        run=RunFacts(
            engine=prepared.scenario.engine,
            seed=prepared.scenario.seed,
            iterations=len(result.iterations),
            events=result.events,
            wall_s=run.wall_s,
            peak_rss_bytes=run.peak_rss_bytes,
            realtime_factor=run.simulated_s / run.wall_s,
            alignment_epochs=result.alignment_epochs,
            alignment_ns=result.alignment_ps / PS_PER_NS,
            trajectory_hash=result.trajectory_hash,
            version=VERSION,
        ),
    )


def _failover_parts_us(failovers: Sequence[Failover]) -> dict[str, float]:
    """Return the time of all failovers of a summary by part, in us."""
    total_ps = dict.fromkeys(FAILOVER_PARTS, 0)
    for failover in failovers:
        for part, span in failover.parts_ps.items():
            total_ps[part] += span
    return {part: span / PS_PER_US for part, span in total_ps.items()}


def summary(run: Run) -> dict[str, Any]:
    """Return the JSON report of a run, as ``groqrack simulate --json`` prints it."""
    return summarise(run).document()


def latency_distribution(latency_ps: Ints) -> LatencyDistribution | None:
    """Return the latency distribution of tokens for a run's report, None of none."""
    if not len(latency_ps):
        return None
    latency_ns = latency_ps / PS_PER_NS
    return LatencyDistribution(
        min=float(latency_ns.min()),
        p50=float(np.percentile(latency_ns, 50)),
        p99=float(np.percentile(latency_ns, 99)),
        max=float(latency_ns.max()),
        mean=float(latency_ns.mean()),
    )


def _mean_cycles(run: Run, column_ps: Ints) -> int:
    """Return the cycles to report of a cause in a delivered token, on average."""
    if not len(column_ps):
        return 0
    hz = run.prepared.machine.chip.clock_hz
    return round(float(column_ps.mean()) * hz / PS_PER_S)


def _rates(run: Run, prepared: Prepared, tokens: dict[str, Ints]) -> TokenRates | None:
    """Return the rates of a model to report; a pass of an encoder makes no token."""
    if not len(tokens["latency_ps"]) or not prepared.makes_tokens:
        return None
    # A user's tokens follow each other once the pipeline is free again.
    every_s = (float(tokens["latency_ps"].mean()) + run.turn_ps) / PS_PER_S
    # A prompt's pass chooses the first token itself; without one it is a decode token.
    begin_ps = run.result.iterations[0].start_ps - run.result.alignment_ps
    first_ns = float(tokens["end_ps"].min() - begin_ps) / PS_PER_NS
    if run.prompt:
        first_ns = run.prompt.time_to_first_token_ps / PS_PER_NS
    # What is a token here is one of each replica.
    scenario, replicas = prepared.scenario, prepared.plan.strategy.data
    users = replicas * scenario.sequences * scenario.batch
    with_prompts = None
    if run.prompt:
        # The pass of a prompt chooses the first token of each answer.
        answer_s = run.prompt.period_s + scenario.tokens * every_s
        with_prompts = users * (scenario.tokens + 1) / answer_s
    return TokenRates(
        tokens_per_s_per_user=1 / every_s,
        tokens_per_s_pipeline=users / every_s,
        tokens_per_s_with_prompts=with_prompts,
        time_to_first_token_ns=first_ns,
    )
