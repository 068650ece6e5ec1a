"""Tables of a run: tokens, links, chips and failovers, and all tables by name.

`experiments.tables.columns` describes every column.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from chip.program import Slice
from experiments.run.context_buckets import token_context
from experiments.run.scenario import Run
from experiments.tables.columns import COLUMNS
from experiments.tables.plan_tables import plan_table, schedule_table, stages_table
from experiments.tables.timeline import timeline_table
from fabric.clocks.clock import Clock
from fabric.links.slack import UNLIMITED_PS
from fabric.results.result import Failover, IterationRow
from sharding.planner.plan import Stage
from sharding.workloads.workload_plan import WorkloadStage
from specs.units import PPM, PS_PER_S
from topologies.topology import Level

# Causes that get what a token took beyond its schedule: before and after a failover.
_DRIFT_CAUSE, _DETOUR_CAUSE = "deskew", "link"


def tokens_table(run: Run) -> pd.DataFrame:
    """Return the table of delivered tokens, a row for each with its latency by cause.

    The schedule gives the cycles of each cause, in cycles of the leader's crystal,
    which all chips follow. The difference between them and the measured latency is a
    few cycles at most. It counts as deskew, and after a failover as link, because then
    other routes cause it. A damaged token also has the time of its earlier attempts.
    """
    offset_ppm = run.result.chips.offset_ppm[run.schedule.program.leader]
    hz = round(run.prepared.machine.chip.clock_hz * (1 + offset_ppm / PPM))
    share_ps = np.array(
        [
            np.diff(Clock(frequency_hz=hz).edges_ps(np.cumsum([0, *each])))
            for each in (bucket.schedule.breakdown for bucket in run.buckets)
        ]
    )
    attempts = pd.DataFrame(run.result.iterations, columns=IterationRow._fields)
    begun = attempts.groupby(["sequence", "token"])["start_ps"].transform("min")
    done = attempts[attempts["delivered"]]
    start_ps = begun[attempts["delivered"]].to_numpy(dtype=np.int64, copy=True)
    failover_ps = np.zeros_like(start_ps)
    moved = np.zeros(len(done), dtype=bool)
    for failover in run.result.failovers:
        moved |= done["start_ps"].to_numpy() >= failover.resumed_ps
        # The latency of a token that could not start before includes the failover.
        start_ps[_first_after(done, start_ps, failover)] = failover.stopped_ps
        within = (start_ps <= failover.stopped_ps) & (
            done["end_ps"].to_numpy() >= failover.resumed_ps
        )
        failover_ps[within] += failover.duration_ps
    served = run.bucket_of(done["token"].to_numpy())
    columns: dict[str, object] = {
        f"{cause}_ps": share_ps[served, place]
        for place, cause in enumerate(run.schedule.breakdown._fields)
    }
    scenario = run.prepared.scenario
    table = pd.DataFrame(
        {
            "token": done["token"].to_numpy(),
            "sequence": done["sequence"].to_numpy(),
            "context_tokens": token_context(scenario, done["token"].to_numpy()),
            "start_ps": start_ps,
            "end_ps": done["end_ps"].to_numpy(),
            "latency_ps": done["end_ps"].to_numpy() - start_ps,
            **columns,
            "replay_ps": done["start_ps"].to_numpy() - start_ps - failover_ps,
            "failover_ps": failover_ps,
            "attempts": done["attempt"].to_numpy() + 1,
        },
        columns=list(COLUMNS["tokens"]),
    )
    taken_ps = (done["end_ps"] - done["start_ps"]).to_numpy()
    beyond_ps = taken_ps - share_ps.sum(axis=1)[served]
    table[f"{_DRIFT_CAUSE}_ps"] += np.where(moved, 0, beyond_ps)
    table[f"{_DETOUR_CAUSE}_ps"] += np.where(moved, beyond_ps, 0)
    if scenario.prompt:
        contexts = np.array([bucket.context_tokens for bucket in run.buckets])
        table["bucket_tokens"] = contexts[served]
    return table.sort_values(["token", "sequence"], ignore_index=True)


def failovers_table(run: Run) -> pd.DataFrame:
    """Return the table of failovers: bad node, its spare, and the time taken."""
    rows = [
        {
            **failover._asdict(),
            **{f"{part}_ps": span for part, span in failover.parts_ps.items()},
            "duration_ps": failover.duration_ps,
        }
        for failover in run.result.failovers
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS["failovers"]))


def _first_after(
    done: pd.DataFrame, start_ps: NDArray[np.int64], failover: Failover
) -> list[int]:
    """Return the table row of each sequence's first token after a failover.

    A sequence whose token was in flight at the failover has none.
    """
    later = np.flatnonzero(start_ps >= failover.resumed_ps)
    sequences = done["sequence"].to_numpy()
    begun_before = {
        int(sequences[row])
        for row in np.flatnonzero(
            (start_ps < failover.resumed_ps)
            & (done["end_ps"].to_numpy() > failover.resumed_ps)
        )
    }
    first: dict[int, int] = {}
    for row in later[np.argsort(start_ps[later], kind="stable")].tolist():
        first.setdefault(int(sequences[row]), row)
    return [row for sequence, row in first.items() if sequence not in begun_before]


def links_table(run: Run) -> pd.DataFrame:
    """Return the table of directed links: traffic, slack and errors of each."""
    topology, machine, used = (
        run.prepared.topology,
        run.prepared.machine,
        run.result.links,
    )
    links = len(topology.source)
    vectors = np.zeros(links, dtype=np.int64)
    vectors[used.link] = used.vectors
    corrected, uncorrectable = np.zeros_like(vectors), np.zeros_like(vectors)
    corrected[used.link] = used.corrected
    uncorrectable[used.link] = used.uncorrectable
    lost = np.zeros_like(vectors)
    lost[used.link] = used.lost
    slack = np.full(links, np.nan)
    received = used.least_slack_ps < UNLIMITED_PS
    least_ps = used.least_slack_ps[received]
    # As floats: vectors may be late by more than 64 bits of ps times Hz hold.
    slack[used.link[received]] = least_ps / PS_PER_S * machine.chip.clock_hz
    vector_ps = machine.line.vector_ps
    busy_ps = vectors * vector_ps.numerator // vector_ps.denominator
    return pd.DataFrame(
        {
            "link": np.arange(links),
            "source": topology.source,
            "target": topology.target,
            "level": [Level(level).label for level in topology.level],
            "length_m": topology.length_m,
            "vectors": vectors,
            "bytes": vectors * machine.link.vector_bytes,
            "busy_ps": busy_ps,
            "utilisation": np.round(busy_ps / (run.simulated_s * PS_PER_S), 9),
            "min_slack_cycles": np.round(slack, 3),
            "fec_corrected": corrected,
            "fec_uncorrectable": uncorrectable,
            "trains_lost": lost,
        }
    )


def chips_table(run: Run) -> pd.DataFrame:
    """Return the table of chips: place, memory, work and clock of each."""
    topology, machine, plan = (
        run.prepared.topology,
        run.prepared.machine,
        run.prepared.plan,
    )
    chips = topology.chips
    columns = {
        name: np.zeros(chips, dtype=np.int64)
        for name in ("weight_bytes", "kv_bytes", "activation_bytes", "program_bytes")
    }
    stages = np.full(chips, -1, dtype=np.int64)
    layers = np.full(chips, "", dtype=object)
    groups: tuple[Stage | WorkloadStage, ...] = plan.stages
    for stage in groups:
        stages[stage.chips] = stage.index
        layers[stage.chips] = stage.layers
        for name, values in zip(columns, stage.memory, strict=True):
            columns[name][stage.chips] = values
    code = run.schedule.program.instructions
    works = np.isin(code.slice, (Slice.MXM, Slice.VXM))
    busy = np.bincount(code.chip[works], code.duration_cycles[works], minlength=chips)
    offset_ppm = run.result.chips.offset_ppm
    period_ps = PS_PER_S / (machine.chip.clock_hz * (1 + offset_ppm / 1e6))
    skew_ps = np.rint(run.result.chips.most_removed_cycles * period_ps)
    return pd.DataFrame(
        {
            "chip": np.arange(chips),
            "rack": topology.rack,
            "node": topology.node,
            "slot": topology.slot,
            "stage": stages,
            "layers": layers,
            **columns,
            "free_bytes": machine.chip.sram_bytes - sum(columns.values()),
            "busy_cycles": busy.astype(np.int64),
            "ppm": np.round(offset_ppm, 3),
            "max_skew_ps": skew_ps.astype(np.int64),
        }
    )


TABLES: dict[str, Callable[[Run], pd.DataFrame]] = {
    "tokens": tokens_table,
    "links": links_table,
    "chips": chips_table,
    "plan": lambda run: plan_table(run.prepared),
    "stages": stages_table,
    "timeline": timeline_table,
    "schedule": schedule_table,
    "failovers": failovers_table,
}
