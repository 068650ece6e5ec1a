"""Plan as a text table with a row for each stage, and as a CSV file."""

from pathlib import Path

import numpy as np
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from compiler.search.objective import Objective
from compiler.search.search_result import Evaluated, SearchResult
from experiments.run.preparation import Prepared
from experiments.tables.atomic_write import check_writable, csv_bytes, write_bytes
from experiments.tables.plan_tables import plan_table
from sharding.parallelism.strategy import Strategy
from sharding.partition.latent.forms import layer_forms
from specs.arrays import Ints
from specs.units import BYTES_PER_MB, US_PER_S

# Ranges of chips that fit a column.
_MOST_RANGES = 3


def plan_report(prepared: Prepared) -> RenderableType:
    """Return the report on a plan: strategy, memory, search, and its stages."""
    plan = prepared.plan
    limit = prepared.machine.chip.sram_bytes
    title = (
        f"{prepared.model.name} as {plan.strategy}\n"
        f"{plan.weight_bytes / 1e9:.2f} GB of weights, fullest chip "
        f"{plan.fullest_chip_bytes / BYTES_PER_MB:.1f} of "
        f"{limit / BYTES_PER_MB:.1f} MB\n"
    )
    if prepared.model.formats is not None:
        title += f"formats {plan.task.formats_text}\n"
    load = f"context {plan.task.context:,}"
    if plan.sequences * plan.task.batch > 1:
        load += f", {_in_flight(plan.sequences)}, batch {plan.task.batch}"
    title += f"{load}\n"
    forms = layer_forms(plan.task)
    if forms is not None:
        title += f"attention {forms}\n"
    if plan.strategy.data > 1:
        title += f"{plan.strategy.data} replicas; this is the first\n"
    title += "".join(f"read {remark}\n" for remark in prepared.model.remarks)
    if prepared.placed is not None:
        title += f"placement: {prepared.placed}\n"
    if prepared.searched is not None:
        result = prepared.searched.found
        sure = f"the best for {result.objective}: {certainty(result)}"
        if prepared.placed is not None:
            best = result.compiled[0].strategy
            sure = f"on the chips in order {best} is\n{sure}"
        title += (
            f"{sure};\n--explain says why\n{found_text(prepared, _taken(prepared))}\n"
        )
    table = Table(box=None, pad_edge=False)
    # All replicas hold the same, so the first one is shown.
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


def _taken(prepared: Prepared) -> Evaluated:
    """Return what a search found, for its report; placed on other chips if so asked."""
    assert prepared.searched is not None
    best, plan = prepared.searched.found.compiled[0], prepared.plan
    if prepared.placed is None:
        return best
    # The second best on the chips in order may be the best placed.
    return best._replace(
        strategy=plan.strategy,
        sequences=plan.sequences,
        latency_cycles=prepared.placed.schedule.latency_cycles,
    )


def found_text(prepared: Prepared, best: Evaluated) -> str:
    """Return what a plan's report says of the best strategy that a search found."""
    hz, batch = prepared.machine.chip.clock_hz, prepared.scenario.batch
    what = "token" if prepared.makes_tokens else "pass"
    per_s = "tokens/s" if prepared.makes_tokens else "passes/s"
    rate = hz / best.latency_cycles
    together = rate * best.sequences * best.strategy.data * batch
    if best.sequences > 1:
        # The wait for the next turn is part of it.
        what += " and its wait"
    used, there = best.strategy.chips, prepared.topology.active_chips
    each = " in each replica" if best.strategy.data > 1 else ""
    return (
        f"{best.latency_cycles / hz * US_PER_S:,.1f} us a {what}: {rate:,.1f} {per_s} "
        f"a user, {together:,.1f} in all\n"
        f"{used:,} of {there:,} chips, {_in_flight(best.sequences)}{each}, "
        f"batch {batch:,}"
    )


def _in_flight(sequences: int) -> str:
    """Return what a plan's report says of sequences in flight."""
    return f"{sequences:,} sequence{'s' if sequences > 1 else ''} in flight"


def certainty(result: SearchResult) -> str:
    """Return what a plan's report says on how much better other strategies may be."""
    candidates = [each.strategy for each in result.known]
    candidates += [cost.strategy for cost, _ in result.bounded]
    plain = all(s == Strategy(tensor=s.tensor, pipeline=s.pipeline) for s in candidates)
    of = "of tensor and pipeline alone" if plain else "searched"
    others = f"no other of the {result.candidates:,} strategies {of}"
    if result.gap == 0:
        return f"{others} can beat it"
    # The gap is a share of cycles; throughput is proportional to their inverse.
    tokens = result.objective is Objective.THROUGHPUT
    better = result.gap / (1 - result.gap) if tokens else result.gap
    return f"{others} can be more than {better:.1%} better"


def _ranges(chips: Ints) -> str:
    """Return a plan's chips as ranges in ascending order, the first three of them.

    >>> _ranges(np.array([3, 2, 1, 8])), _ranges(np.array([1, 3, 5, 7, 9]))
    ('1-3 8', '1 3 5 ...')
    """
    held = np.sort(chips)
    ranges = np.split(held, np.flatnonzero(np.diff(held) > 1) + 1)
    shown = [f"{r[0]}-{r[-1]}" if len(r) > 1 else f"{r[0]}" for r in ranges]
    return " ".join([*shown[:_MOST_RANGES], *["..."] * (len(shown) > _MOST_RANGES)])


def write_plan(prepared: Prepared, path: Path) -> Path:
    """Write a plan as CSV, a row for each slice of a tensor on a chip.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    check_writable(path.parent)
    return write_bytes(path, csv_bytes(plan_table(prepared)))
