"""Bottlenecks of a plan: what limits it, the cycles of each limit, and what relaxes it.

Costs of limits may overlap: shared heads also take time on links.
"""

from collections.abc import Sequence
from typing import NamedTuple

from compiler.ir.schedule import Schedule
from compiler.ir.timeline import ComputeEntry
from compiler.search.objective import Objective
from compiler.search.sensitivity import Sensitivity
from experiments.run.preparation import Prepared
from sharding.planner.memory import stage_memories
from sharding.planner.stage_partition import cuts_by_memory, stage_blocks
from sharding.weights.blocks import model_units
from sharding.weights.task import Task
from specs.units import BYTES_PER_MB

_ATTENDING = ("scores", "softmax", "values")
_SHARING = ("share_qkv", "share_values")


class Limit(NamedTuple):
    """Limit of a plan: what keeps it from being better, and at what cost.

    Attributes
    ----------
    name
        SRAM, links, compute, context or heads.
    cycles
        Cost: cycles of a token's latency; if the objective is throughput or energy,
        cycles of the machine for each token.
    now, relaxed
        State of the plan, and what would relax the limit.
    """

    name: str
    cycles: int
    now: str
    relaxed: str


def limits(
    prepared: Prepared,
    schedule: Schedule,
    moves: Sequence[Sensitivity],
    *,
    near_gain_cycles: int | None = None,
) -> list[Limit]:
    """Return the bottlenecks to report of a plan, the costliest first.

    Parameters
    ----------
    prepared, schedule
        The plan, and the schedule of a token under it.
    moves
        Neighbouring plans; they give what a change saves.
    near_gain_cycles
        Cycles that a placement on neighbouring chips saves, None if not known.
    """
    objective = Objective(prepared.scenario.objective)
    compiled = _CompiledPlan(
        prepared, schedule, objective, {move.name: move for move in moves}
    )
    unsorted = [
        _links(compiled, near_gain_cycles),
        _compute(compiled),
        _context(compiled),
        _heads(compiled),
        _sequences(compiled) if objective.fills else _stages(compiled),
    ]
    # Chips are needed for their memory; the other limits concern time alone.
    first = "SRAM" if objective is Objective.CHIPS else None
    return sorted(unsorted, key=lambda limit: (limit.name != first, -limit.cycles))


class _CompiledPlan(NamedTuple):
    """Plan with its schedule, its objective and its neighbouring plans by name."""

    prepared: Prepared
    schedule: Schedule
    objective: Objective
    moves: dict[str, Sensitivity]

    def share(self, cycles: float) -> int:
        """Return cycles of a token in the unit of the objective, as `Limit.cycles`."""
        plan = self.prepared.plan
        tokens = plan.sequences * plan.strategy.data if self.objective.fills else 1
        return round(cycles / tokens)

    def transported(self, names: Sequence[str]) -> int:
        """Return the cycles of exchanges with these names in one replica."""
        cycles = sum(
            entry.transport.duration_cycles
            for entry in self.schedule.timeline.entries
            if not isinstance(entry, ComputeEntry) and entry.name in names
        )
        return cycles // self.prepared.plan.strategy.data

    def saved(self, key: str) -> str:
        """Return what the first change whose name begins with `key` saves, or empty."""
        for name, move in self.moves.items():
            if name.startswith(key):
                cycles = self._saved_cycles(move)
                about = "" if move.compiled else "about "
                gain = f"saves {about}{cycles:,}" if cycles > 0 else "saves nothing"
                return f"{name} {gain}"
        return ""

    def _saved_cycles(self, move: Sensitivity) -> int:
        """Return the cycles that a change saves, as the objective counts them."""
        fills = self.objective.fills
        return -round(move.share_cycles if fills else move.latency_cycles)


def _links(compiled: _CompiledPlan, near_gain_cycles: int | None) -> Limit:
    """Return the plan's limit of the links: the latency of transfers."""
    strategy, timeline = compiled.prepared.plan.strategy, compiled.schedule.timeline
    if not compiled.schedule.breakdown.link:
        return Limit("links", 0, "nothing leaves its chip", "")
    hops = sum(timeline.stage_hops[: strategy.pipeline])
    near = ""
    if near_gain_cycles is not None:
        gain = (
            f"{compiled.share(near_gain_cycles):,}" if near_gain_cycles else "nothing"
        )
        near = f"--placement auto saves {gain}"
    now = f"{hops:,} hops one after the other"
    cycles = compiled.share(compiled.schedule.breakdown.link)
    return Limit(
        "links", cycles, now, _either(near, compiled.saved("formats.activations="))
    )


def _compute(compiled: _CompiledPlan) -> Limit:
    """Return the plan's limit of compute: the work of a stage on its chips."""
    cycles = compiled.share(compiled.schedule.breakdown.compute)
    stored = compiled.prepared.plan.task.formats_text
    now = f"weights in {stored} on {_chips(compiled.prepared.plan.strategy.tensor)}"
    return Limit("compute", cycles, now, compiled.saved("formats.weights="))


def _context(compiled: _CompiledPlan) -> Limit:
    """Return the plan's limit of context: attention to the positions of the cache."""
    cycles = sum(
        int(entry.cycles.max())
        for entry in compiled.schedule.timeline.entries
        if isinstance(entry, ComputeEntry) and entry.name in _ATTENDING
    )
    # Replicas compute attention in parallel.
    cycles //= compiled.prepared.plan.strategy.data
    now = f"{compiled.prepared.scenario.context:,} positions"
    changes = [compiled.saved("context "), compiled.saved("formats.kv_cache=")]
    return Limit("context", compiled.share(cycles), now, _either(*changes))


def _heads(compiled: _CompiledPlan) -> Limit:
    """Return the plan's limit of heads: exchanges of chips that share a KV head."""
    model, plan = compiled.prepared.model, compiled.prepared.plan
    heads, width = model.kv_heads, plan.task.group.attention
    now = f"{heads} KV heads on {_chips(width)}"
    if width <= heads:
        return Limit("heads", 0, now, "no head is shared")
    # Alternating groups: a layer runs on as many chips as there are heads.
    alternating = "" if plan.strategy.tensor % heads else f"attention={heads} or "
    cycles = compiled.share(compiled.transported(_SHARING))
    return Limit("heads", cycles, now, f"{alternating}tensor={heads} shares no head")


def _stages(compiled: _CompiledPlan) -> Limit:
    """Return the plan's limit of SRAM for latency: the last stage holds weights."""
    plan = compiled.prepared.plan
    now = _fullest(compiled)
    fewer = plan.strategy.pipeline - 1
    if not fewer:
        return Limit("SRAM", 0, now, "one stage is the least there can be")
    needed = _needed_bytes(plan.task, fewer, plan.sequences)
    if needed <= compiled.prepared.machine.chip.sram_bytes:
        return Limit("SRAM", 0, now, f"pipeline={fewer} would fit as well")
    cycles = compiled.transported(("hand_over",)) // fewer
    room = _room(compiled, fewer, plan.sequences)
    relaxed = f"pipeline={fewer} takes chip.sram_bytes={needed}{room}"
    return Limit("SRAM", cycles, now, relaxed)


def _sequences(compiled: _CompiledPlan) -> Limit:
    """Return the plan's limit of SRAM for throughput: the sequence that has no room."""
    plan = compiled.prepared.plan
    held, stages = plan.sequences, plan.strategy.pipeline
    now = f"{_fullest(compiled)}; {held} of {stages} stages at work at once"
    if held >= stages:
        now = f"{_fullest(compiled)}; every stage at work"
        return Limit("SRAM", 0, now, "more sequences would wait")
    needed = _needed_bytes(plan.task, stages, held + 1)
    if needed <= compiled.prepared.machine.chip.sram_bytes:
        return Limit("SRAM", 0, now, f"{held + 1} sequences would fit as well")
    # One more sequence takes no longer as long as no two sequences meet.
    cycles = compiled.share(compiled.schedule.latency_cycles / (held + 1))
    room = _room(compiled, stages, held + 1)
    relaxed = f"{held + 1} sequences take chip.sram_bytes={needed}{room}"
    return Limit("SRAM", cycles, now, relaxed)


def _chips(count: int) -> str:
    """Return a number of chips in words of a plan's report."""
    return "1 chip" if count == 1 else f"{count} chips"


def _either(*changes: str) -> str:
    """Return the changes to report that are not empty, separated by semicolons."""
    return "; ".join(filter(None, changes))


def _fullest(compiled: _CompiledPlan) -> str:
    """Return the memory in use on the fullest chip, in words of a plan's report."""
    held = compiled.prepared.plan.fullest_chip_bytes / BYTES_PER_MB
    there = compiled.prepared.machine.chip.sram_bytes / BYTES_PER_MB
    return f"fullest chip {held:.1f} of {there:.1f} MB"


def _room(compiled: _CompiledPlan, pipeline: int, sequences: int) -> str:
    """Return the formats to report, with which stages and sequences would fit."""
    task, formats = compiled.prepared.plan.task, []
    for name in compiled.moves:
        key, _, value = name.partition("=")
        if key not in ("formats.kv_cache", "formats.weights"):
            continue
        changed = task.with_setting(key, value)
        needed = _needed_bytes(changed, pipeline, sequences)
        if needed <= task.machine.chip.sram_bytes:
            formats.append(f", or {name}")
    return "".join(formats)


def _needed_bytes(task: Task, pipeline: int, sequences: int) -> int:
    """Return the least SRAM of a chip to report: so many stages and sequences fit."""
    units = model_units(task.model, task.machine, tensor=task.tensor, pipeline=pipeline)
    cuts = cuts_by_memory(task, units, pipeline=pipeline, sequences=sequences)
    memories = stage_memories(task, stage_blocks(units, cuts), sequences)
    return max(int(memory.total.max()) for memory in memories)
