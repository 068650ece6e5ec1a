"""What keeps a plan from being better, what each thing costs, and what would relax it.

What one limit costs may be part of what another does: shared heads take time on links.
"""

from collections.abc import Sequence
from typing import NamedTuple

from compiler.ir.schedule import Schedule
from compiler.ir.timeline import ComputeEntry
from compiler.search.objective import Objective
from compiler.search.sensitivity import Sensitivity
from experiments.run.preparation import Prepared
from sharding.planner.memory import stage_memory
from sharding.planner.stage_partition import cuts_by_memory, stage_blocks
from sharding.transformer.blocks import model_units
from sharding.transformer.task import Task
from specs.units import BYTES_PER_MB

_ATTENDING = ("scores", "softmax", "values")
_SHARING = ("share_qkv", "share_values")


class Limit(NamedTuple):
    """Something that keeps a plan from being better.

    Attributes
    ----------
    name
        SRAM, links, compute, context or heads.
    cycles
        What it costs: cycles of a token's latency, or where throughput or energy is
        sought, cycles of the machine for each token.
    now, relaxed
        How it stands, and what would relax it.
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
    """Return what limits a plan, the tightest first.

    Parameters
    ----------
    prepared, schedule
        The plan, and the schedule of a token under it.
    moves
        Plans one step away: what a change saves is taken from them.
    near_gain_cycles
        What chips near each other save, None if that is not known.
    """
    objective = Objective(prepared.scenario.objective)
    seen = _Seen(prepared, schedule, objective, {move.name: move for move in moves})
    found = [
        _links(seen, near_gain_cycles),
        _compute(seen),
        _context(seen),
        _heads(seen),
        _sequences(seen) if objective.fills else _stages(seen),
    ]
    # Chips are needed for what they hold; all else is only about time.
    first = "SRAM" if objective is Objective.CHIPS else None
    return sorted(found, key=lambda limit: (limit.name != first, -limit.cycles))


class _Seen(NamedTuple):
    """What limits are read from."""

    prepared: Prepared
    schedule: Schedule
    objective: Objective
    moves: dict[str, Sensitivity]

    def share(self, cycles: float) -> int:
        """Return cycles of a token in what is sought."""
        plan = self.prepared.plan
        tokens = plan.sequences * plan.strategy.data if self.objective.fills else 1
        return round(cycles / tokens)

    def transported(self, names: Sequence[str]) -> int:
        """Return the cycles that a replica's exchanges of these names take."""
        cycles = sum(
            entry.transport.duration_cycles
            for entry in self.schedule.timeline.entries
            if not isinstance(entry, ComputeEntry) and entry.name in names
        )
        return cycles // self.prepared.plan.strategy.data

    def saved(self, key: str) -> str:
        """Return what the move saves whose name begins with `key`, empty if none."""
        for name, move in self.moves.items():
            if name.startswith(key):
                cycles = self._saved_cycles(move)
                about = "" if move.compiled else "about "
                gain = f"saves {about}{cycles:,}" if cycles > 0 else "saves nothing"
                return f"{name} {gain}"
        return ""

    def _saved_cycles(self, move: Sensitivity) -> int:
        fills = self.objective.fills
        return -round(move.share_cycles if fills else move.latency_cycles)


def _links(seen: _Seen, near_gain_cycles: int | None) -> Limit:
    """Return what vectors are on their way for."""
    strategy, timeline = seen.prepared.plan.strategy, seen.schedule.timeline
    if not seen.schedule.breakdown.link:
        return Limit("links", 0, "nothing leaves its chip", "")
    hops = sum(timeline.stage_hops[: strategy.pipeline])
    near = ""
    if near_gain_cycles is not None:
        gain = f"{seen.share(near_gain_cycles):,}" if near_gain_cycles else "nothing"
        near = f"--placement auto saves {gain}"
    now = f"{hops:,} hops one after the other"
    cycles = seen.share(seen.schedule.breakdown.link)
    return Limit(
        "links", cycles, now, _either(near, seen.saved("formats.activations="))
    )


def _compute(seen: _Seen) -> Limit:
    """Return what the chips of the working stage compute for."""
    cycles = seen.share(seen.schedule.breakdown.compute)
    stored = seen.prepared.machine.formats.weights.value
    now = f"weights in {stored} on {_chips(seen.prepared.plan.strategy.tensor)}"
    return Limit("compute", cycles, now, seen.saved("formats.weights="))


def _context(seen: _Seen) -> Limit:
    """Return what attending to the positions of the cache costs."""
    cycles = sum(
        int(entry.cycles.max())
        for entry in seen.schedule.timeline.entries
        if isinstance(entry, ComputeEntry) and entry.name in _ATTENDING
    )
    # Replicas attend side by side.
    cycles //= seen.prepared.plan.strategy.data
    now = f"{seen.prepared.scenario.context:,} positions"
    ways = [seen.saved("context "), seen.saved("formats.kv_cache=")]
    return Limit("context", seen.share(cycles), now, _either(*ways))


def _heads(seen: _Seen) -> Limit:
    """Return what it costs that several chips share a key/value head."""
    model, plan = seen.prepared.model, seen.prepared.plan
    heads, width = model.kv_heads, plan.task.group.attention
    now = f"{heads} KV heads on {_chips(width)}"
    if width <= heads:
        return Limit("heads", 0, now, "no head is shared")
    # Layers take turns on as many chips as there are heads.
    turns = "" if plan.strategy.tensor % heads else f"attention={heads} or "
    cycles = seen.share(seen.transported(_SHARING))
    return Limit("heads", cycles, now, f"{turns}tensor={heads} shares no head")


def _stages(seen: _Seen) -> Limit:
    """Return what the last stage costs that is only there to hold weights."""
    plan = seen.prepared.plan
    now = _fullest(seen)
    fewer = plan.strategy.pipeline - 1
    if not fewer:
        return Limit("SRAM", 0, now, "one stage is the least there can be")
    needed = _needed_bytes(plan.task, fewer, plan.sequences)
    if needed <= seen.prepared.machine.chip.sram_bytes:
        return Limit("SRAM", 0, now, f"pipeline={fewer} would fit as well")
    cycles = seen.transported(("hand_over",)) // fewer
    ways = _room(seen, fewer, plan.sequences)
    relaxed = f"pipeline={fewer} takes chip.sram_bytes={needed}{ways}"
    return Limit("SRAM", cycles, now, relaxed)


def _sequences(seen: _Seen) -> Limit:
    """Return what it costs that there is no room for another sequence in flight."""
    plan = seen.prepared.plan
    held, stages = plan.sequences, plan.strategy.pipeline
    now = f"{_fullest(seen)}; {held} of {stages} stages at work at once"
    if held >= stages:
        now = f"{_fullest(seen)}; every stage at work"
        return Limit("SRAM", 0, now, "more sequences would wait")
    needed = _needed_bytes(plan.task, stages, held + 1)
    if needed <= seen.prepared.machine.chip.sram_bytes:
        return Limit("SRAM", 0, now, f"{held + 1} sequences would fit as well")
    # As long as no two sequences meet, one more takes no longer.
    cycles = seen.share(seen.schedule.latency_cycles / (held + 1))
    ways = _room(seen, stages, held + 1)
    relaxed = f"{held + 1} sequences take chip.sram_bytes={needed}{ways}"
    return Limit("SRAM", cycles, now, relaxed)


def _chips(count: int) -> str:
    return "1 chip" if count == 1 else f"{count} chips"


def _either(*ways: str) -> str:
    return "; ".join(filter(None, ways))


def _fullest(seen: _Seen) -> str:
    held = seen.prepared.plan.fullest_chip_bytes / BYTES_PER_MB
    there = seen.prepared.machine.chip.sram_bytes / BYTES_PER_MB
    return f"fullest chip {held:.1f} of {there:.1f} MB"


def _room(seen: _Seen, pipeline: int, sequences: int) -> str:
    """Return what else would make room for so many stages and sequences."""
    task, ways = seen.prepared.plan.task, []
    for name in seen.moves:
        key, _, value = name.partition("=")
        if key not in ("formats.kv_cache", "formats.weights"):
            continue
        changed = task._replace(machine=task.machine.with_settings({key: value}, name))
        needed = _needed_bytes(changed, pipeline, sequences)
        if needed <= task.machine.chip.sram_bytes:
            ways.append(f", or {name}")
    return "".join(ways)


def _needed_bytes(task: Task, pipeline: int, sequences: int) -> int:
    """Return the SRAM of a chip that so many stages and sequences fit into."""
    units = model_units(task.model, task.machine, tensor=task.tensor, pipeline=pipeline)
    cuts = cuts_by_memory(task, units, pipeline=pipeline, sequences=sequences)
    return max(
        int(stage_memory(task, blocks, sequences).total.max())
        for blocks in stage_blocks(units, cuts)
    )
