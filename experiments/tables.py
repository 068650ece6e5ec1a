"""A run as tables; each column of each table is described in `experiments.columns`."""

from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from chip.clock import Clock
from chip.program import Opcode, Slice
from experiments.columns import COLUMNS
from experiments.preparation import Prepared
from experiments.run import Run
from sharding.units import Kind
from specs.units import BITS_PER_BYTE, PPM, PS_PER_NS, PS_PER_S
from topologies.topology import Level

_SHIFTED = "deskew"


def tokens_table(run: Run) -> pd.DataFrame:
    """Return one row for each delivered token, with where its time went.

    The schedule says how many cycles each cause takes; they are cycles of the leader's
    crystal, which all chips follow. What a token took beyond or below that, a few
    cycles at most, is what deskews added or took away; a damaged token also has the
    time of its earlier attempts.
    """
    scenario = run.prepared.scenario
    spent = run.schedule.breakdown
    offset_ppm = run.result.chips.offset_ppm[run.schedule.program.leader]
    hz = round(run.prepared.machine.chip.clock_hz * (1 + offset_ppm / PPM))
    edges = np.cumsum([0, *spent])
    share_ps = np.diff(Clock(frequency_hz=hz).edges_ps(edges))
    first_start: dict[tuple[int, int], int] = {}
    rows = []
    for row in run.result.iterations:
        start_ps = first_start.setdefault((row.sequence, row.token), row.start_ps)
        if not row.delivered:
            continue
        causes = dict(zip(spent._fields, share_ps.tolist(), strict=True))
        causes[_SHIFTED] += row.end_ps - row.start_ps - int(share_ps.sum())
        rows.append(
            {
                "token": row.token,
                "sequence": row.sequence,
                "context_tokens": scenario.context,
                "start_ps": start_ps,
                "end_ps": row.end_ps,
                "latency_ps": row.end_ps - start_ps,
                **{f"{cause}_ps": value for cause, value in causes.items()},
                "replay_ps": row.start_ps - start_ps,
                "attempts": row.attempt + 1,
            }
        )
    table = pd.DataFrame(rows, columns=list(COLUMNS["tokens"]))
    return table.sort_values(["token", "sequence"], ignore_index=True)


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
    slack = np.full(links, np.nan)
    slack[used.link] = used.least_slack_ps * machine.chip.clock_hz / PS_PER_S
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
    for stage in plan.stages:
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


def plan_table(prepared: Prepared) -> pd.DataFrame:
    """Return one row for each slice of a weight tensor on a chip."""
    return prepared.plan.slices.drop(columns=["tensor_rows", "tensor_columns"])


def stages_table(run: Run) -> pd.DataFrame:
    """Return one row for each pipeline stage."""
    rows = []
    for stage, cycles in zip(
        run.prepared.plan.stages, run.schedule.timeline.stage_cycles, strict=True
    ):
        parts = [block for block in stage.blocks if block.kind is Kind.FEED_FORWARD]
        rows.append(
            {
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
}


def _labels(
    kind: type[Slice] | type[Opcode], numbers: NDArray[np.int8]
) -> NDArray[np.str_]:
    names: NDArray[np.str_] = np.array([member.name for member in kind])
    return names[numbers]
