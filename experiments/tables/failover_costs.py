"""Cost of a failover by part, and the latency of each token by what it waited for."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from experiments.run.preparation import Prepared
from experiments.run.scenario import Run
from experiments.tables.columns import TableRow
from experiments.tables.run_tables import tokens_table
from fabric.results.result import FAILOVER_PARTS, Failover
from specs.units import PS_PER_US


class FaultCase(NamedTuple):
    """Fault on a machine with some spare nodes and sequences.

    Attributes
    ----------
    name
        Name of the case.
    fault
        What breaks: ``link`` or ``chip``.
    spares, sequences
        Spare nodes of each rack, and sequences in flight.
    kv_cache
        How the lost part of the KV cache comes back: ``recompute`` or ``mirrored``.
    """

    name: str
    fault: str
    spares: int = 1
    sequences: int = 1
    kv_cache: str = "recompute"


def failover_costs(run: Run, case: FaultCase) -> TableRow:
    """Return the table row of a run's failovers: cost by part, and missing tokens."""
    result, scenario = run.result, run.prepared.scenario
    missing = result.missing
    row: TableRow = {
        "scenario": case.name,
        "spares": case.spares,
        "sequences": case.sequences,
        "kv_cache": case.kv_cache,
        "host_gb_per_s": run.prepared.machine.host.load_gb_per_s,
        "seed": scenario.seed,
        "tokens_wanted": scenario.tokens * scenario.sequences,
        "tokens_delivered": sum(each.delivered for each in result.iterations),
        "tokens_missing": result.tokens_lost,
        "which": "; ".join(
            f"sequence {each.sequence}: {each.first_token} to {each.last_token}"
            for each in missing
        ),
        "reason": "; ".join(dict.fromkeys(each.reason for each in missing)),
        "violations": run.violations,
    }
    for failover in result.failovers:
        row |= _parts(run, failover)
    return row


def _parts(run: Run, failover: Failover) -> TableRow:
    """Return table columns of a failover: duration of each part, and bytes loaded."""
    machine, rows = run.prepared.machine, run.result.iterations
    attempts = [
        each
        for each in rows
        if (each.sequence, each.token) == (failover.sequence, failover.token)
        and each.iteration <= failover.iteration
    ]
    begun_ps, damaged_ps = attempts[0].start_ps, attempts[-1].end_ps
    spans_us = {
        "damaged": damaged_ps - begun_ps,
        "drain": failover.stopped_ps - damaged_ps,
        **failover.parts_ps,
        "total": failover.resumed_ps - begun_ps,
    }
    assert isinstance(run.prepared, Prepared)
    weights, kv_cache = _slices_bytes(run.prepared, failover.bad_node)
    # The program that restores the KV cache is loaded before that of the tokens.
    programs = 1 + (failover.kv_passes > 0)
    before = [each for each in rows if each.end_ps <= begun_ps]
    after = [each for each in rows if each.start_ps >= failover.resumed_ps]
    return {
        "bad_node": failover.bad_node,
        "spare_node": failover.spare_node,
        "attempts": len(attempts),
        **{f"{name}_us": span / PS_PER_US for name, span in spans_us.items()},
        "fullest_program_bytes": programs * machine.chip.program_reserve_bytes,
        "fullest_weight_bytes": weights,
        "loaded_bytes": failover.loaded_bytes,
        "lost_kv_bytes": failover.kv_bytes,
        "most_lost_kv_bytes": kv_cache,
        "kv_passes": failover.kv_passes,
        "token_before_us": _mean_us([each.end_ps - each.start_ps for each in before]),
        "token_after_us": _mean_us([each.end_ps - each.start_ps for each in after]),
    }


def _slices_bytes(prepared: Prepared, node: int) -> tuple[int, int]:
    """Return table columns of a node's fullest chip: weight and KV cache bytes."""
    held = [
        (int(weights), int(kv_cache))
        for stage in prepared.plan.stages
        for chip, weights, kv_cache in zip(
            stage.chips, stage.memory.weights, stage.memory.kv_cache, strict=True
        )
        if prepared.topology.node[chip] == node
    ]
    return max(held, key=sum)


def tokens_by_cause(run: Run, case: FaultCase) -> pd.DataFrame:
    """Return the table of tokens around failovers: start, latency by cause, in us."""
    table = tokens_table(run)
    waited_ps = pd.DataFrame(0, index=table.index, columns=list(FAILOVER_PARTS))
    for failover in run.result.failovers:
        within = (table["start_ps"] <= failover.stopped_ps) & (
            table["end_ps"] >= failover.resumed_ps
        )
        for part, span_ps in failover.parts_ps.items():
            waited_ps.loc[within, part] += span_ps
    begin_ps = min(each.start_ps for each in run.result.iterations)
    parts_ps: dict[str, pd.Series[int]] = {
        "begin": table["start_ps"] - begin_ps,
        "latency": table["latency_ps"],
        "schedule": table["latency_ps"] - table["replay_ps"] - table["failover_ps"],
        "replay": table["replay_ps"],
        **{part: waited_ps[part] for part in FAILOVER_PARTS},
    }
    return pd.DataFrame(
        {
            "scenario": case.name,
            "sequence": table["sequence"],
            "token": table["token"],
            "attempts": table["attempts"],
            **{f"{name}_us": span / PS_PER_US for name, span in parts_ps.items()},
        }
    )


def _mean_us(spans_ps: list[int]) -> float:
    """Return the mean of durations for a table in us, NaN if there are none."""
    return float(np.mean(spans_ps)) / PS_PER_US if spans_ps else np.nan
