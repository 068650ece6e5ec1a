"""A plan as a table for people, and as a file."""

from pathlib import Path

import numpy as np
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from compiler.search.objective import Objective
from compiler.search.search_result import SearchResult
from experiments.run.preparation import Prepared
from experiments.tables.atomic_write import check_writable, csv_bytes, write_bytes
from experiments.tables.plan_tables import plan_table
from sharding.parallelism.strategy import Strategy
from specs.arrays import Ints
from specs.units import BYTES_PER_MB

# Runs of chips that fit a column.
_MOST_RUNS = 3


def plan_report(prepared: Prepared) -> RenderableType:
    """Return what is split how, and one line for each stage."""
    plan = prepared.plan
    limit = prepared.machine.chip.sram_bytes
    title = (
        f"{prepared.model.name} as {plan.strategy}\n"
        f"{plan.weight_bytes / 1e9:.2f} GB of weights, fullest chip "
        f"{plan.fullest_chip_bytes / BYTES_PER_MB:.1f} of "
        f"{limit / BYTES_PER_MB:.1f} MB\n"
    )
    kept = f"context {plan.task.context:,}"
    if plan.sequences * plan.task.batch > 1:
        kept += f", {plan.sequences} sequences in flight, batch {plan.task.batch}"
    title += f"{kept}\n"
    if plan.strategy.data > 1:
        title += f"{plan.strategy.data} replicas; this is the first\n"
    if prepared.placed is not None:
        title += f"placement: {prepared.placed}\n"
    if prepared.searched is not None:
        found = prepared.searched.found
        best = found.compiled[0].strategy
        title += (
            f"{best} is the best for {found.objective} of {found.candidates:,}:\n"
            f"{certainty(found)}; --explain says why\n"
        )
    table = Table(box=None, pad_edge=False)
    # Replicas hold the same; the first one stands for all.
    for name in ("stage", "chips", "layers", "weights MB", "KV MB", "fullest chip"):
        table.add_column(name, justify="left" if name == "layers" else "right")
    for stage in plan.replicas[0].stages:
        memory = stage.memory
        fullest = int(memory.total.max())
        table.add_row(
            str(stage.index),
            _ranges(stage.chips),
            stage.layers,
            f"{memory.weights.sum() / BYTES_PER_MB:.1f}",
            f"{memory.kv_cache.sum() / BYTES_PER_MB:.1f}",
            f"{fullest / limit:.0%}",
        )
    return Group(Text(title), table)


def certainty(found: SearchResult) -> str:
    """Return how sure it is that the best is the best, and among what."""
    seen = [each.strategy for each in found.known]
    seen += [cost.strategy for cost, _ in found.bounded]
    plain = all(s == Strategy(tensor=s.tensor, pipeline=s.pipeline) for s in seen)
    among = " of tensor and pipeline alone" if plain else ""
    if found.gap == 0:
        return f"no other strategy{among} can beat it"
    # The gap is of cycles; tokens in a second are one over them.
    tokens = found.objective is Objective.THROUGHPUT
    better = found.gap / (1 - found.gap) if tokens else found.gap
    return f"no other strategy{among} can be more than {better:.1%} better"


def _ranges(chips: Ints) -> str:
    """Return which chips there are, in whatever order they are members.

    >>> _ranges(np.array([3, 2, 1, 8])), _ranges(np.array([1, 3, 5, 7, 9]))
    ('1-3 8', '1 3 5 ...')
    """
    held = np.sort(chips)
    runs = np.split(held, np.flatnonzero(np.diff(held) > 1) + 1)
    shown = [f"{r[0]}-{r[-1]}" if len(r) > 1 else f"{r[0]}" for r in runs]
    return " ".join([*shown[:_MOST_RUNS], *["..."] * (len(shown) > _MOST_RUNS)])


def write_plan(prepared: Prepared, path: Path) -> Path:
    """Write the plan as CSV, one row for each slice of a tensor on a chip.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    check_writable(path.parent)
    return write_bytes(path, csv_bytes(plan_table(prepared)))
