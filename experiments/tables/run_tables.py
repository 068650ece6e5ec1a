"""Tables of a run: tokens, links, chips and failovers, and all tables by name.

`experiments.tables.columns` describes every column.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd

from chip.program import Slice
from experiments.run.scenario import Run
from experiments.tables.columns import COLUMNS
from experiments.tables.plan_tables import plan_table, schedule_table, stages_table
from experiments.tables.timeline import timeline_table
from experiments.tables.token_columns import token_columns
from fabric.links.slack import UNLIMITED_PS
from sharding.planner.plan import Stage
from sharding.workloads.workload_plan import WorkloadStage
from specs.units import PS_PER_S
from topologies.topology import Level


def tokens_table(run: Run) -> pd.DataFrame:
    """Return the table of delivered tokens, a row for each with its latency by cause.

    Its columns are those of `experiments.tables.token_columns.token_columns`.
    """
    return pd.DataFrame(token_columns(run))


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
