"""Tables of a compiled plan: slices of weights, pipeline stages, instructions."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from chip.program import Opcode, Slice
from experiments.run.preparation import Prepared
from experiments.run.scenario import Run
from experiments.run.workload import PreparedWorkload
from sharding.parallelism.strategy import Strategy
from sharding.parallelism.tensor_group import Routing
from sharding.planner.plan import Stage
from sharding.weights.blocks import BlockKind
from sharding.workloads.workload_plan import WorkloadStage


def plan_table(prepared: Prepared | PreparedWorkload) -> pd.DataFrame:
    """Return the table of a plan: one row for each slice of a weight tensor on a chip.

    The expert routing, which slices do not show, is a further column unless it is the
    default, the worst case.
    """
    table = prepared.plan.slices.drop(columns=["tensor_rows", "tensor_columns"])
    strategy = prepared.plan.strategy
    if isinstance(strategy, Strategy) and strategy.routing is not Routing.WORST:
        return table.assign(routing=str(strategy.routing))
    return table


def stages_table(run: Run) -> pd.DataFrame:
    """Return the table of pipeline stages: chips, layers, memory and cycles of each."""
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
    """Return the table of a schedule: one row for each instruction of a token."""
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


def _labels(
    kind: type[Slice] | type[Opcode], numbers: NDArray[np.int8]
) -> NDArray[np.str_]:
    """Return the name of each slice or opcode in a table."""
    names: NDArray[np.str_] = np.array([member.name for member in kind])
    return names[numbers]
