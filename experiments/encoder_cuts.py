"""How much faster is a plan that counts communication than one that balances FLOPs?

BERT-large, an encoder of 24 layers, on 4 chips of a node, in each split of them. Stages
are cut by three rules: equal multiply-accumulates, equal cycles of compute (the rule of
every other plan), and the fewest cycles of compute, exchanges and stage transfers in
the slowest stage. Another table has the split that each planner would choose: the
fewest multiply-accumulates in sequence, or the fewest cycles.
"""

from functools import cache
from typing import NamedTuple

import matplotlib.style
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from compiler.bounds.congestion_bound import CongestionBound, congestion_bound
from compiler.collectives.exchange_phases import exchange_candidates
from compiler.compile_decode import compile_token
from compiler.ir.messages import MessageTable
from compiler.verify import verify
from experiments.plots.run_figure import STYLE
from experiments.script.experiment_script import Tables, run_script
from experiments.tables.columns import TableRow
from sharding.operators.operators import Compute
from sharding.parallelism.strategy import Strategy
from sharding.partition.block_operators import block_operators
from sharding.partition.stage_boundary import carried_bytes
from sharding.planner.min_max_partition import balanced_cuts
from sharding.planner.plan import staged_plan
from sharding.planner.stage_partition import stage_blocks, stage_cuts
from sharding.weights.blocks import Block, BlockKind, model_units
from sharding.weights.task import Task
from specs.arrays import Ints
from specs.machine import load_machine
from specs.model import load_model
from topologies.selection import select_topology
from topologies.topology import Topology

COLUMNS = {
    "context_tokens": "context",
    "strategy": "strategy",
    "rule": "balances",
    "latency_cycles": "pass",
    "gain_percent": "gain %",
    "slowest_stage_cycles": "slowest stage",
    "pace_gain_percent": "gain %",
}
CHIPS = 4
SPLITS = ((1, 4), (2, 2), (4, 1))
CONTEXTS = (128, 512)
RULES = ("FLOPs", "compute", "all")


class StageCutProblem(NamedTuple):
    """An encoder under a strategy, with the latency bound of its messages."""

    task: Task
    strategy: Strategy
    units: list[Block]
    topology: Topology
    links: CongestionBound


def experiment(_seed: int, quick: bool) -> tuple[pd.DataFrame, Figure, Tables]:
    """Run the experiment: cycles of a pass under each rule; no part is random."""
    rows = [
        _row(context, Strategy(tensor=tensor, pipeline=pipeline), rule)
        for context in (CONTEXTS[:1] if quick else CONTEXTS)
        for tensor, pipeline in SPLITS
        for rule in RULES
    ]
    table = pd.DataFrame(rows)
    first = table.groupby(["context_tokens", "strategy"])
    for gain, cycles in (
        ("gain_percent", "latency_cycles"),
        ("pace_gain_percent", "slowest_stage_cycles"),
    ):
        share = table[cycles] / first[cycles].transform("first")
        table[gain] = (100 * (1 - share)).round(2)
    return table, _figure(table), {"choice": _choices(table)}


def _choices(table: pd.DataFrame) -> pd.DataFrame:
    """Return the experiment's choice of split by either planner."""
    rows = []
    for context, part in table.groupby("context_tokens"):
        flops = part[part["rule"] == RULES[0]].sort_values("macs_in_a_row").iloc[0]
        counted = part[part["rule"] == RULES[-1]]
        fastest = counted.sort_values("latency_cycles").iloc[0]
        share = fastest["latency_cycles"] / flops["latency_cycles"]
        rows.append(
            {
                "context_tokens": context,
                "flops_strategy": flops["strategy"],
                "flops_latency_cycles": flops["latency_cycles"],
                "all_strategy": fastest["strategy"],
                "all_latency_cycles": fastest["latency_cycles"],
                "gain_percent": round(100 * (1 - share), 2),
            }
        )
    return pd.DataFrame(rows)


def _row(context: int, strategy: Strategy, rule: str) -> TableRow:
    """Return the experiment's row of one case."""
    machine, topology = load_machine(), select_topology(CHIPS)
    task = Task(load_model("bert-large"), machine, strategy.tensor, context, 1)
    units = model_units(
        task.model, machine, tensor=strategy.tensor, pipeline=strategy.pipeline
    )
    chips = topology.active.astype(np.int64)
    problem = StageCutProblem(
        task, strategy, units, topology, congestion_bound(machine, topology, 0)
    )
    macs = np.array([_macs(task, unit) for unit in units])
    if rule == "FLOPs":
        cuts = balanced_cuts(
            macs, 0 * macs, 0 * macs, stages=strategy.pipeline, capacity=0
        )
    elif rule == "compute":
        cuts = stage_cuts(task, units, pipeline=strategy.pipeline, sequences=1)
    else:
        cuts = min_max_cuts(problem)
    assert cuts is not None, "the model fits four chips however it is cut"
    plan = staged_plan(task, strategy, chips, stage_blocks(units, cuts), 1)
    assert plan.fullest_chip_bytes <= machine.chip.sram_bytes
    schedule = compile_token(plan, topology)
    verify(schedule.program, topology, machine, plan=schedule.plan)
    stage_macs = np.add.reduceat(macs, cuts)
    return {
        "model": task.model.name,
        "context_tokens": context,
        "strategy": str(strategy),
        "rule": rule,
        "layers": " ".join(stage.layers for stage in plan.stages),
        # In sequence: the chips of a group work on their share in parallel.
        "macs_in_a_row": int(macs.sum()) // strategy.tensor,
        "slowest_stage_macs": int(stage_macs.max()) // strategy.tensor,
        "latency_cycles": schedule.latency_cycles,
        "slowest_stage_cycles": max(schedule.timeline.stage_cycles),
    }


def _macs(task: Task, unit: Block) -> int:
    """Return the experiment's multiply-accumulates of a block over all chips."""
    model = task.model
    if unit.kind is BlockKind.ATTENTION:
        scored = 2 * model.query_size * task.attended_tokens(unit)
        return task.tokens * (model.attention_parameters + scored)
    if unit.kind is BlockKind.FEED_FORWARD:
        low, high = unit.range_of(model.intermediate_size)
        share = model.feed_forward_parameters * (high - low)
        return task.tokens * share // model.intermediate_size
    # Only the first state is pooled, and look-ups multiply nothing.
    pools = unit.kind is BlockKind.HEAD
    return pools * task.batch * model.head_rows * model.hidden_size


def min_max_cuts(problem: StageCutProblem) -> list[int]:
    """Return the experiment's cuts that count all cycles: the fastest slowest stage.

    Of several, those with the fastest pass.
    """
    count = len(problem.units)
    cycles = _stage_cycles(problem)
    best: list[tuple[int, int, list[int]] | None] = [(0, 0, [])] + [None] * count
    for _ in range(problem.strategy.pipeline):
        following: list[tuple[int, int, list[int]] | None] = [None] * (count + 1)
        for begin, so_far in enumerate(best[:-1]):
            if so_far is None:
                continue
            slowest, total, cuts = so_far
            for end in range(begin + 1, count + 1):
                here = int(cycles[begin, end])
                candidate = (max(slowest, here), total + here, [*cuts, begin])
                known = following[end]
                if known is None or candidate < known:
                    following[end] = candidate
        best = following
    assert best[-1] is not None
    return best[-1][2]


def _stage_cycles(problem: StageCutProblem) -> Ints:
    """Return the experiment's cycles of a stage by its first and its last block.

    They include the exchanges, and the stage transfers to it and from it.
    """

    @cache
    def block_cycles(block: Block) -> int:
        return _block_cycles(problem, block)

    count = len(problem.units)
    cycles = np.zeros((count, count + 1), dtype=np.int64)
    for begin, opening in enumerate(problem.units):
        done, open_block = 0, opening
        for end in range(begin + 1, count + 1):
            cycles[begin, end] = done + block_cycles(problem.task.like(open_block))
            if end == count:
                break
            unit = problem.units[end]
            if unit.opens:
                done, open_block = int(cycles[begin, end]), unit
            else:
                open_block = open_block._replace(last=unit.last)
    transfer = np.array([_transfer_cycles(problem, unit) for unit in problem.units])
    cycles[1:] += transfer[1:, None]
    cycles[:, 1:-1] += transfer[1:]
    return cycles


def _block_cycles(problem: StageCutProblem, block: Block) -> int:
    """Return the experiment's cycles of a block: compute, and bound of exchanges."""
    topology = problem.topology
    group = topology.active[: problem.task.tensor].astype(np.int64)
    total = 0
    for operator in block_operators(problem.task, block):
        if isinstance(operator, Compute):
            total += int(operator.cycles.max())
            continue
        candidates = exchange_candidates(topology, operator, group)
        total += min(
            sum(problem.links.cycles(phase.messages) for phase in each.phases())
            for each in candidates
        )
    return total


def _transfer_cycles(problem: StageCutProblem, into: Block) -> int:
    """Return the experiment's cycles of the stage transfer into a block."""
    width, chips = problem.task.tensor, problem.topology.active.astype(np.int64)
    if 2 * width > len(chips):
        return 0
    sizes = carried_bytes(problem.task, into)
    messages = MessageTable(chips[:width], chips[width : 2 * width], sizes)
    return problem.links.cycles(messages)


def _figure(table: pd.DataFrame) -> Figure:
    """Return the experiment's figure of its table."""
    contexts = list(table["context_tokens"].unique())
    with matplotlib.style.context(STYLE):
        figure = Figure(figsize=(10, 3.4 * len(contexts)), layout="constrained")
        grid = figure.subplots(len(contexts), 2, squeeze=False)
        for row, context in zip(grid, contexts, strict=True):
            part = table[table["context_tokens"] == context]
            splits = list(part["strategy"].unique())
            for axes, column, title in (
                (row[0], "latency_cycles", "A pass"),
                (row[1], "slowest_stage_cycles", "The slowest stage sets the pace"),
            ):
                for number, rule in enumerate(RULES):
                    cycles = part[part["rule"] == rule][column] / 1e6
                    place = np.arange(len(splits)) + 0.27 * (number - 1)
                    bars = axes.bar(place, cycles, width=0.25, label=rule)
                    axes.bar_label(bars, fmt="%.3f", fontsize=7)
                axes.set_xticks(
                    range(len(splits)), [split.replace(",", "\n") for split in splits]
                )
                axes.margins(y=0.15)
                axes.set(ylabel="million cycles")
                axes.set_title(f"{title}, {context} tokens", loc="left")
        grid[0][0].legend(title="cut to balance", frameon=False)
    return figure


if __name__ == "__main__":
    run_script("encoder_cuts", __doc__ or "", experiment, COLUMNS, digits=2)
