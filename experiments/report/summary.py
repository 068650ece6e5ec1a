"""A run as one JSON document; the keys are a contract."""

from typing import Any

import numpy as np
import pandas as pd

from compiler.cost.roofline import lower_bound_cycles
from compiler.search.objective import Objective
from experiments.run.context_buckets import buckets_block
from experiments.run.energy import energy_block
from experiments.run.preparation import Prepared, Searched
from experiments.run.prompt import prefill_block
from experiments.run.scenario import Run
from experiments.run.version import VERSION
from experiments.run.workload import PreparedWorkload, workload_block
from experiments.tables.run_tables import tokens_table
from specs.machine import MachineSpec
from specs.model import ModelSpec
from specs.scenario import OF_MODELS, Scenario
from specs.units import PS_PER_NS, PS_PER_S, PS_PER_US
from topologies.metrics.summary import TopologySummary, describe
from topologies.topology import Topology

# What a scenario says of a prompt.
_OF_A_PROMPT = {"prompt", "prefill_chunk", "context_bucket"}


def summary(run: Run) -> dict[str, Any]:
    """Return what `groqrack simulate --json` prints."""
    result, program, certificate = run.result, run.schedule.program, run.certificate
    tokens = tokens_table(run)
    token = _token_block(run, tokens)
    return {
        "schema": "groqrack-fabric/simulate/1",
        "inputs": inputs_block(run.prepared.scenario),
        **_subject_block(run),
        "machine": machine_block(
            run.prepared.machine, run.prepared.topology, describe(run.prepared.topology)
        ),
        "plan": plan_block(run.prepared),
        "schedule": {
            "instructions": len(program.instructions),
            "trains": len(program.trains),
            "vectors": int(program.trains.vectors.sum()),
            "latency_cycles": program.token_cycles,
            "turn_cycles": program.turn_cycles,
            "lower_bound_cycles": run.schedule.lower_bound_cycles,
            "guard_cycles": program.guard_cycles,
            "deskew_interval_cycles": program.deskews.interval_cycles,
            "sequence_interval_cycles": program.interval_cycles,
            "certificate": certificate.digest if certificate else None,
            "checks": sum(certificate.checks.values()) if certificate else 0,
        },
        "iteration": {
            "count": len(tokens),
            "latency_ns": latency_block(tokens),
            "breakdown_cycles": {
                **run.breakdown._asdict(),
                "replay": _mean_cycles(run, tokens["replay_ps"]),
                "failover": _mean_cycles(run, tokens["failover_ps"]),
            },
        },
        **({"prefill": prefill_block(run.prompt)} if run.prompt else {}),
        **({"buckets": buckets_block(run.buckets)} if run.prompt else {}),
        **token,
        "energy": energy_block(
            run.prepared.machine,
            run.prepared.topology,
            token["token"]["tokens_per_s_pipeline"] if token else None,
        ),
        "faults": {
            "error_model": run.prepared.machine.link.errors,
            "fec_corrected": int(result.links.corrected.sum()),
            "fec_uncorrectable": int(result.links.uncorrectable.sum()),
            "replays": result.replays,
            "failovers": len(result.failovers),
            "tokens_lost": result.tokens_lost,
            "trains_lost": int(result.links.lost.sum()),
            "failover_us": sum(each.duration_ps for each in result.failovers)
            / PS_PER_US,
            "missing": [each._asdict() for each in result.missing],
        },
        "violations": {
            "underflow": result.underflows,
            "overflow": result.overflows,
            # The verifier has proved it before the run; it would have refused to start.
            "link_conflict": 0,
        },
        "run": {
            "engine": run.prepared.scenario.engine,
            "seed": run.prepared.scenario.seed,
            "iterations": len(result.iterations),
            "events": result.events,
            "wall_s": run.wall_s,
            "peak_rss_bytes": run.peak_rss_bytes,
            "realtime_factor": run.simulated_s / run.wall_s,
            "alignment_epochs": result.alignment_epochs,
            "alignment_ns": result.alignment_ps / PS_PER_NS,
            "trajectory_hash": result.trajectory_hash,
            "version": VERSION,
        },
    }


def inputs_block(scenario: Scenario) -> dict[str, Any]:
    """Return what was asked; of a prompt, or of a model, only if there is one."""
    absent = set() if scenario.prompt else set(_OF_A_PROMPT)
    if scenario.workload is not None:
        absent.update(OF_MODELS)
    return scenario.model_dump(exclude=absent)


def _subject_block(run: Run) -> dict[str, Any]:
    """Return what is computed: a model, or a workload and what it takes."""
    prepared = run.prepared
    if isinstance(prepared, Prepared):
        weight_bytes = prepared.plan.weight_bytes
        return {"model": model_block(prepared.model, weight_bytes)}
    return {"workload": workload_block(prepared)}


def model_block(model: ModelSpec, weight_bytes: int) -> dict[str, Any]:
    """Return the model's size and what its weights take on the machine."""
    return {
        "name": model.name,
        "layers": model.layers,
        "parameters": model.parameters,
        "weight_bytes": weight_bytes,
    }


def machine_block(
    machine: MachineSpec, topology: Topology, described: TopologySummary
) -> dict[str, Any]:
    """Return the machine's name, size and distances."""
    return {
        "name": machine.name,
        "topology": topology.name,
        "chips": topology.chips,
        "active_chips": topology.active_chips,
        "links": topology.links,
        "diameter_hops": described.diameter_hops,
        "mean_hops": described.mean_hops,
    }


def plan_block(prepared: Prepared | PreparedWorkload) -> dict[str, Any]:
    """Return the split and how full it makes the chips."""
    plan = prepared.plan
    parts: dict[str, Any]
    if isinstance(prepared, Prepared):
        split, placed = prepared.plan.strategy, prepared.placed
        parts = {
            "tensor": split.tensor,
            "pipeline": split.pipeline,
            "data": split.data,
            "expert": split.expert,
            "attention": prepared.plan.task.group.attention,
            "layout": split.layout,
            "routing": split.routing,
            "placement": prepared.scenario.placement,
            "placement_gain_cycles": placed.gain_cycles if placed else 0,
        }
    else:
        grid = prepared.plan.strategy
        parts = {"column": grid.column, "row": grid.row}
    return {
        "strategy": str(plan.strategy),
        **parts,
        "chips_used": plan.strategy.chips,
        "fullest_chip_bytes": plan.fullest_chip_bytes,
        "sram_bytes_per_chip": prepared.machine.chip.sram_bytes,
    }


def plan_summary(prepared: Prepared) -> dict[str, Any]:
    """Return what `groqrack plan --json` prints."""
    searched = prepared.searched
    return {
        "schema": "groqrack-fabric/plan/1",
        "inputs": inputs_block(prepared.scenario),
        "model": model_block(prepared.model, prepared.plan.weight_bytes),
        "plan": plan_block(prepared),
        **({"search": search_block(searched)} if searched else {}),
        "lower_bound_cycles": lower_bound_cycles(prepared.plan),
        "stages": [
            {
                "replica": stage.replica,
                "stage": stage.index,
                "first_chip": int(stage.chips[0]),
                "chips": len(stage.chips),
                "layers": stage.layers,
                "weight_bytes": int(stage.memory.weights.sum()),
                "kv_bytes": int(stage.memory.kv_cache.sum()),
                "fullest_chip_bytes": int(stage.memory.total.max()),
            }
            for stage in prepared.plan.stages
        ],
    }


def search_block(searched: Searched) -> dict[str, Any]:
    """Return how many strategies were looked at, and how sure the best one is."""
    found = searched.found
    best = found.compiled[0]
    return {
        "objective": str(found.objective),
        "candidates": found.candidates,
        "scored": found.scored,
        "planned": found.planned,
        "compiled": len(found.compiled),
        "latency_cycles": best.latency_cycles,
        "sequences": best.sequences,
        "best_cost": best.cost.first,
        "best_bound": found.bound,
        # Of the token: the bound itself where latency is sought, else this plan's.
        "best_bound_cycles": int(found.bound)
        if found.objective is Objective.LATENCY
        else found.schedule.lower_bound_cycles,
        "gap": found.gap,
        "wall_s": searched.wall_s,
    }


def latency_block(tokens: pd.DataFrame) -> dict[str, float | None]:
    """Return the distribution of token latencies in ns; nulls if none was delivered."""
    names = ("min", "p50", "p99", "max", "mean")
    if tokens.empty:
        return dict.fromkeys(names)
    latency_ns = tokens["latency_ps"].to_numpy() / PS_PER_NS
    values = (
        latency_ns.min(),
        np.percentile(latency_ns, 50),
        np.percentile(latency_ns, 99),
        latency_ns.max(),
        latency_ns.mean(),
    )
    return {name: float(value) for name, value in zip(names, values, strict=True)}


def _mean_cycles(run: Run, column_ps: "pd.Series[int]") -> int:
    """Return what a cause adds to a delivered token on average, in nominal cycles."""
    if column_ps.empty:
        return 0
    hz = run.prepared.machine.chip.clock_hz
    return round(float(column_ps.mean()) * hz / PS_PER_S)


def _token_block(run: Run, tokens: pd.DataFrame) -> dict[str, dict[str, float | None]]:
    """Return the rates of a model, under their name; a workload has none."""
    if isinstance(run.prepared, Prepared):
        return {"token": _rates(run, run.prepared, tokens)}
    return {}


def _rates(
    run: Run, prepared: Prepared, tokens: pd.DataFrame
) -> dict[str, float | None]:
    """Return rates; the first token's time holds the aligned start and the prompt."""
    # A prompt's pass chooses the first token itself; without one it is a decode token.
    scenario = prepared.scenario
    # A pass of an encoder is an iteration that makes no token.
    if tokens.empty or not prepared.makes_tokens:
        names = (
            "tokens_per_s_per_user",
            "tokens_per_s_pipeline",
            "time_to_first_token_ns",
        )
        return dict.fromkeys(names)
    # A user's tokens follow each other once the pipeline is free again.
    every_s = (float(tokens["latency_ps"].mean()) + run.turn_ps) / PS_PER_S
    begin_ps = run.result.iterations[0].start_ps - run.result.alignment_ps
    first_ns = float(tokens["end_ps"].min() - begin_ps) / PS_PER_NS
    if run.prompt:
        first_ns = run.prompt.time_to_first_token_ps / PS_PER_NS
    # What is a token here is one of each replica.
    replicas = prepared.plan.strategy.data
    return {
        "tokens_per_s_per_user": 1 / every_s,
        "tokens_per_s_pipeline": replicas
        * scenario.sequences
        * scenario.batch
        / every_s,
        "time_to_first_token_ns": first_ns,
    }
