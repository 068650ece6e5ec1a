"""Why a plan is the best, what comes next, what stages lose, and what limits it."""

from typing import NamedTuple

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from compiler.found import Evaluated, Found, Objective
from compiler.pareto import Front
from compiler.schedule import Schedule
from compiler.timeline import ComputeEntry
from compiler.weighing import best_moves
from experiments.preparation import Prepared
from sharding.memory import stage_memory
from sharding.stages import cuts_by_memory, stage_blocks
from sharding.units import model_units
from specs.units import BYTES_PER_MB

# Rows of a table that a person reads.
_MOST_SHOWN = 10
_US_PER_S = 1_000_000


class Limit(NamedTuple):
    """Something that keeps a plan from being faster.

    Attributes
    ----------
    name
        SRAM, heads or context.
    cycles
        What it costs a token.
    now, relaxed
        How it stands, and what would relax it.
    """

    name: str
    cycles: int
    now: str
    relaxed: str


def explanation(prepared: Prepared, schedule: Schedule) -> RenderableType:
    """Return why this plan, the next best, the imbalance of stages, and the limits."""
    parts: list[RenderableType] = []
    if prepared.searched is not None:
        found = prepared.searched.found
        parts += [
            _why(found, prepared.searched.wall_s),
            Text(),
            _ranking(found, prepared),
            Text(),
        ]
    if prepared.placed is not None:
        parts += [Text(f"Placement: {prepared.placed}"), Text()]
    parts += [
        _ledger(prepared, schedule),
        Text(),
        _moves(prepared, schedule),
        Text(),
        _limits(prepared, schedule),
    ]
    return Group(*parts)


def pareto_table(prepared: Prepared, front: Front) -> RenderableType:
    """Return the strategies that no other beats in latency, throughput and chips."""
    hz = prepared.machine.chip.clock_hz
    table = _table(
        "Pareto front",
        "strategy",
        "chips",
        "sequences",
        "latency us",
        "tokens/s of all",
    )
    for point in front.points:
        table.add_row(
            str(point.strategy),
            f"{point.merits.chips:,}",
            f"{point.sequences:,}",
            f"{point.merits.latency_cycles / hz * _US_PER_S:,.1f}",
            f"{hz * prepared.scenario.batch / point.merits.share_cycles:,.0f}",
        )
    rest = (
        f"{front.open:,} more may be on it and were not looked at"
        if front.open
        else "no other strategy belongs to it"
    )
    known = f"{len(front.points):,} of {len(front.known):,} points known to the cycle"
    return Group(table, Text(f"{known};\n{rest}"))


def limits(prepared: Prepared, schedule: Schedule) -> list[Limit]:
    """Return what limits a plan, the costliest first."""
    found = [
        _sram(prepared, schedule),
        _heads(prepared, schedule),
        _context(prepared, schedule),
    ]
    return sorted(found, key=lambda limit: -limit.cycles)


def _why(found: Found, wall_s: float) -> Text:
    best = found.compiled[0]
    sure = (
        "no other strategy can beat it"
        if found.gap == 0
        else f"no other can be more than {found.gap:.1%} better"
    )
    return Text(
        f"{best.strategy} is the best for {found.objective}:\n{sure}.\n"
        f"{found.candidates:,} strategies, {found.scored:,} scored by a bound, "
        f"{found.planned:,} cut into stages,\n{len(found.known):,} timed to a cycle, "
        f"{len(found.compiled):,} compiled, {len(found.refused):,} without schedule,\n"
        f"in {wall_s:.1f} s"
    )


def _numbers(each: Evaluated, prepared: Prepared) -> tuple[str, str, str, str, str]:
    hz = prepared.machine.chip.clock_hz
    return (
        str(each.strategy),
        f"{each.strategy.chips:,}",
        f"{each.sequences:,}",
        f"{each.latency_cycles / hz * _US_PER_S:,.1f}",
        f"{hz * prepared.scenario.batch / each.pace_cycles:,.0f}",
    )


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for column in columns:
        left = column in ("strategy", "layers", "limit", "move")
        table.add_column(column, justify="left" if left else "right")
    return table


def _ranking(found: Found, prepared: Prepared) -> Table:
    table = _table(
        "The next best",
        "strategy",
        "chips",
        "sequences",
        "latency us",
        "tokens/s full",
        "worse by",
    )
    best = found.compiled[0].cost.first
    for each in found.known[:_MOST_SHOWN]:
        behind = each.cost.first / best - 1
        table.add_row(*_numbers(each, prepared), f"{behind:.2%}" if behind else "")
    return table


def _ledger(prepared: Prepared, schedule: Schedule) -> RenderableType:
    """Return what each stage waits for the slowest, once the pipeline is full."""
    cycles = schedule.timeline.stage_cycles
    slowest = max(cycles)
    table = _table("Stage imbalance", "stage", "layers", "cycles", "lost", "of slowest")
    order = sorted(range(len(cycles)), key=lambda stage: (cycles[stage], stage))
    for stage in order[:_MOST_SHOWN]:
        table.add_row(
            str(stage),
            prepared.plan.stages[stage].layers,
            f"{cycles[stage]:,}",
            f"{slowest - cycles[stage]:,}",
            f"{cycles[stage] / slowest:.0%}",
        )
    lost = sum(slowest - each for each in cycles)
    share = lost / (slowest * len(cycles))
    return Group(
        table,
        Text(
            f"{len(cycles)} stages in step with stage {cycles.index(slowest)} "
            f"({slowest:,} cycles) lose {lost:,} cycles ({share:.1%})"
        ),
    )


def _moves(prepared: Prepared, schedule: Schedule) -> RenderableType:
    """Return the ten best small changes, and what each does to a token."""
    objective = Objective(prepared.scenario.objective)
    table = _table(
        f"The ten best moves for {objective}, in cycles",
        "move",
        "latency",
        "for each token",
        "chips",
        "known by",
    )
    for each in best_moves(schedule, objective, most=_MOST_SHOWN):
        table.add_row(
            each.name,
            f"{each.latency_cycles:+,}",
            f"{each.share_cycles:+,.0f}",
            f"{each.chips:+,}" if each.chips else "",
            "compiling" if each.compiled else "bounds",
        )
    return table


def _limits(prepared: Prepared, schedule: Schedule) -> RenderableType:
    found = limits(prepared, schedule)
    table = _table("What limits a token, the tightest first", "limit", "cycles")
    table.add_column("now, and what would relax it", max_width=56)
    for limit in found:
        table.add_row(limit.name, f"{limit.cycles:,}", f"{limit.now}; {limit.relaxed}")
    return table


def _sram(prepared: Prepared, schedule: Schedule) -> Limit:
    """Return what the last stage costs that is only there to hold weights."""
    plan, chip = prepared.plan, prepared.machine.chip
    now = (
        f"fullest chip {plan.fullest_chip_bytes / BYTES_PER_MB:.1f} of "
        f"{chip.sram_bytes / BYTES_PER_MB:.1f} MB"
    )
    fewer = plan.strategy.pipeline - 1
    if not fewer:
        return Limit("SRAM", 0, now, "one stage is the least there can be")
    task = plan.task
    units = model_units(
        task.model, task.machine, tensor=plan.strategy.tensor, pipeline=fewer
    )
    cuts = cuts_by_memory(task, units, pipeline=fewer, sequences=plan.sequences)
    needed = max(
        int(stage_memory(task, blocks, plan.sequences).total.max())
        for blocks in stage_blocks(units, cuts)
    )
    if needed <= chip.sram_bytes:
        return Limit("SRAM", 0, now, f"pipeline={fewer} would fit as well")
    hand_over = _transported(schedule, ("hand_over",)) // fewer
    relaxed = f"pipeline={fewer} takes chip.sram_bytes={needed:,}"
    return Limit("SRAM", hand_over, now, relaxed)


def _heads(prepared: Prepared, schedule: Schedule) -> Limit:
    """Return what it costs that several chips share a key/value head."""
    heads, width = prepared.model.kv_heads, prepared.plan.task.group.attention
    now = f"{heads} KV heads on {width} chips"
    if width <= heads:
        return Limit("heads", 0, now, "no head is shared")
    cycles = _transported(schedule, ("share_qkv", "share_values"))
    return Limit("heads", cycles, now, f"tensor={heads} or less shares no head")


def _context(prepared: Prepared, schedule: Schedule) -> Limit:
    """Return what attending to the positions of the cache costs."""
    cycles = sum(
        int(entry.cycles.max())
        for entry in schedule.timeline.entries
        if isinstance(entry, ComputeEntry)
        and entry.name in ("scores", "softmax", "values")
    )
    context = prepared.scenario.context
    relaxed = f"--context {max(1, context // 2)} saves about half"
    return Limit("context", cycles, f"{context:,} positions", relaxed)


def _transported(schedule: Schedule, names: tuple[str, ...]) -> int:
    return sum(
        entry.transport.duration_cycles
        for entry in schedule.timeline.entries
        if not isinstance(entry, ComputeEntry) and entry.name in names
    )
