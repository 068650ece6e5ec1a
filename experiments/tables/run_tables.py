"""Tables of a run; `experiments.tables.columns` describes every column."""

from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from chip.clock import Clock
from chip.program import Opcode, Slice
from experiments.run.context_buckets import token_context
from experiments.run.preparation import Prepared
from experiments.run.scenario import Run
from experiments.run.workload import PreparedWorkload
from experiments.tables.columns import COLUMNS
from fabric.results.result import Failover, IterationRow
from fabric.results.slack import UNLIMITED_PS
from sharding.graph.workload_plan import WorkloadStage
from sharding.parallelism.strategy import Strategy
from sharding.parallelism.tensor_group import Routing
from sharding.planner.plan import Stage
from sharding.transformer.blocks import BlockKind
from specs.units import BITS_PER_BYTE, PPM, PS_PER_NS, PS_PER_S
from topologies.topology import Level

_SHIFTED, _ROUTED = "deskew", "link"


def tokens_table(run: Run) -> pd.DataFrame:
    """Return one row for each delivered token, with where its time went.

    The schedule says how many cycles each cause takes; they are cycles of the leader's
    crystal, which all chips follow. What a token took beyond or below that, a few
    cycles at most, is what deskews added or took away; after a failover it is what
    other routes take. A damaged token also has the time of its earlier attempts.
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
        # A token that had to wait for the failover to begin has waited all the same.
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
    table[f"{_SHIFTED}_ps"] += np.where(moved, 0, beyond_ps)
    table[f"{_ROUTED}_ps"] += np.where(moved, beyond_ps, 0)
    if scenario.prompt:
        contexts = np.array([bucket.context_tokens for bucket in run.buckets])
        table["bucket_tokens"] = contexts[served]
    return table.sort_values(["token", "sequence"], ignore_index=True)


def failovers_table(run: Run) -> pd.DataFrame:
    """Return one row for each node that was bad."""
    rows = [
        {**failover._asdict(), "duration_ps": failover.duration_ps}
        for failover in run.result.failovers
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS["failovers"]))


def _first_after(
    done: pd.DataFrame, start_ps: NDArray[np.int64], failover: Failover
) -> list[int]:
    """Return the row of each sequence's first token that began after a failover."""
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
    """Return one row for each directed link of the machine."""
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
    came = used.least_slack_ps < UNLIMITED_PS
    least_ps = used.least_slack_ps[came]
    # As floats: vectors may be late by more than 64 bits of ps times Hz hold.
    slack[used.link[came]] = least_ps / PS_PER_S * machine.chip.clock_hz
    wire_bits = machine.link.wire_bytes * BITS_PER_BYTE
    busy_ps = vectors * (wire_bits * PS_PER_NS) // machine.link.rate_gbps
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
    """Return one row for each chip of the machine."""
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


def plan_table(prepared: Prepared | PreparedWorkload) -> pd.DataFrame:
    """Return one row for each slice of a weight tensor on a chip.

    What slices do not tell, that a router is better than the worst, is a column more.
    """
    table = prepared.plan.slices.drop(columns=["tensor_rows", "tensor_columns"])
    strategy = prepared.plan.strategy
    if isinstance(strategy, Strategy) and strategy.routing is not Routing.WORST:
        return table.assign(routing=str(strategy.routing))
    return table


def stages_table(run: Run) -> pd.DataFrame:
    """Return one row for each pipeline stage."""
    rows = []
    stages: tuple[Stage | WorkloadStage, ...] = run.prepared.plan.stages
    for stage, cycles in zip(stages, run.schedule.timeline.stage_cycles, strict=True):
        blocks = stage.blocks if isinstance(stage, Stage) else ()
        parts = [block for block in blocks if block.kind is BlockKind.FEED_FORWARD]
        rows.append(
            {
                "replica": stage.replica,
                "stage": stage.index,
                "chips": len(stage.chips),
                "first_chip": int(stage.chips[0]),
                "layers": stage.layers,
                "feed_forward_share": sum((b.last - b.first) / b.parts for b in parts),
                "fullest_chip_bytes": int(stage.memory.total.max()),
                "stage_cycles": cycles,
            }
        )
    return pd.DataFrame(rows)


def schedule_table(run: Run) -> pd.DataFrame:
    """Return one row for each instruction of a token."""
    program = run.schedule.program
    code, trains = program.instructions, program.trains
    names = np.array([entry.name for entry in run.schedule.timeline.entries] + [""])
    on_train = code.train >= 0
    link = (
        np.where(on_train, trains.link[code.train], -1) if len(trains) else code.train
    )
    vectors = np.where(on_train, trains.vectors[code.train], 0) if len(trains) else 0
    return pd.DataFrame(
        {
            "chip": code.chip,
            "slice": _labels(Slice, code.slice),
            "port": code.port,
            "opcode": _labels(Opcode, code.opcode),
            "start_cycle": code.start_cycle,
            "duration_cycles": code.duration_cycles,
            "operator": code.operator,
            "name": names[code.operator],
            "train": code.train,
            "link": link,
            "vectors": vectors,
        }
    )


TABLES: dict[str, Callable[[Run], pd.DataFrame]] = {
    "tokens": tokens_table,
    "links": links_table,
    "chips": chips_table,
    "plan": lambda run: plan_table(run.prepared),
    "stages": stages_table,
    "schedule": schedule_table,
    "failovers": failovers_table,
}


def _labels(
    kind: type[Slice] | type[Opcode], numbers: NDArray[np.int8]
) -> NDArray[np.str_]:
    names: NDArray[np.str_] = np.array([member.name for member in kind])
    return names[numbers]
