"""Neighbourhood of a plan: the plans that are one small change away."""

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from compiler.ir.schedule import Schedule
from compiler.search.search_space import machine_shape, splits
from sharding.parallelism.feasibility import check_model
from sharding.parallelism.strategy import Strategy
from sharding.parallelism.tensor_group import Routing
from sharding.placement.default_placement import placed_chips
from sharding.planner.plan import ShardingPlan, fitting_plan, staged_plan
from sharding.planner.stage_partition import stage_blocks
from sharding.weights.blocks import Block, model_units
from sharding.weights.task import Task
from specs.errors import PlanError, RackError
from specs.formats import Format
from specs.model_formats import WeightGroup
from topologies.topology import Topology

_NARROWER = {
    Format.FP32: Format.FP16,
    Format.FP16: Format.FP8,
    Format.BF16: Format.FP8,
    Format.FP8: Format.INT4,
    Format.INT8: Format.INT4,
}


class Neighbour(NamedTuple):
    """Neighbour of a plan.

    Attributes
    ----------
    name
        The change.
    plan
        The changed plan.
    """

    name: str
    plan: ShardingPlan


class _Origin(NamedTuple):
    """Origin of a neighbourhood: the plan that is changed, and its slowest stage."""

    plan: ShardingPlan
    topology: Topology
    slowest: int
    interval_cycles: int


def neighbourhood(schedule: Schedule) -> Iterator[Neighbour]:
    """Yield the search neighbours of the plan of `schedule` that fit its chips.

    They differ in one of these:

    - a piece of the model goes out of the slowest stage or into it;
    - tensor groups are a chip or a factor of two wider or narrower, or their split of a
      layer differs in one key;
    - there is a stage or a sequence more or fewer;
    - weights, activations or the KV cache take half the bits;
    - deskews are twice or half as far apart;
    - the context is half as long.
    """
    plan, topology = schedule.plan, schedule.topology
    cycles = schedule.timeline.stage_cycles
    origin = _Origin(
        plan,
        topology,
        cycles.index(max(cycles)) % plan.strategy.pipeline,
        schedule.program.deskews.interval_cycles,
    )
    yield from _shifted(origin)
    for name, task, strategy, sequences in (*_resized(origin), *_changed(origin)):
        made = _fitting(task, strategy, sequences, topology)
        if made is not None:
            yield Neighbour(name, made)


def _fitting(
    task: Task, strategy: Strategy, sequences: int, topology: Topology
) -> ShardingPlan | None:
    """Return the plan of a strategy, None if it does not fit."""
    if strategy.chips > topology.active_chips:
        return None
    try:
        check_model(strategy, task.model)
        task = task.split_as(strategy)
        chips = placed_chips(topology, strategy)
        return fitting_plan(task, strategy, chips, sequences=sequences)
    except RackError:
        return None


def _shifted(origin: _Origin) -> Iterator[Neighbour]:
    """Yield the neighbours in which a piece crosses a border of the slowest stage."""
    task, strategy = origin.plan.task, origin.plan.strategy
    units = model_units(
        task.model, task.machine, tensor=strategy.tensor, pipeline=strategy.pipeline
    )
    cuts = _cuts(origin.plan, units)
    if cuts is None:
        return
    ends = [*cuts[1:], len(units)]
    for border in (origin.slowest, origin.slowest + 1):
        if not 0 < border < strategy.pipeline:
            continue
        for step in (-1, 1):
            at = cuts[border] + step
            if not cuts[border - 1] < at < ends[border]:
                continue
            blocks = stage_blocks(units, [*cuts[:border], at, *cuts[border + 1 :]])
            chips = np.concatenate([stage.chips for stage in origin.plan.stages])
            made = staged_plan(task, strategy, chips, blocks, origin.plan.sequences)
            if made.fullest_chip_bytes <= task.machine.chip.sram_bytes:
                source, target = (
                    (border, border - 1) if step > 0 else (border - 1, border)
                )
                piece = units[at - 1 if step > 0 else at]
                yield Neighbour(
                    f"{_piece(piece)} from stage {source} to {target}", made
                )


def _piece(unit: Block) -> str:
    """Return the name of a piece of the model."""
    part = f" 1/{unit.parts}" if unit.parts > 1 else ""
    layer = f" {unit.layer}" if unit.kind in ("attention", "feed_forward") else ""
    return f"{unit.kind.value.replace('_', '-')}{layer}{part}"


def _cuts(plan: ShardingPlan, units: list[Block]) -> list[int] | None:
    """Return the first unit of each stage, None if a plan was not cut between units."""
    begins = {
        (unit.kind, unit.layer, unit.first, unit.parts): n
        for n, unit in enumerate(units)
    }
    firsts = [stage.blocks[0] for stage in plan.replicas[0].stages]
    cuts = [begins.get((b.kind, b.layer, b.first, b.parts)) for b in firsts]
    known = [cut for cut in cuts if cut is not None]
    return known if len(known) == len(cuts) else None


def _resized(origin: _Origin) -> Iterator[tuple[str, Task, Strategy, int]]:
    """Yield other widths on as many chips, splits, pipelines, and sequences."""
    task, strategy, sequences = (
        origin.plan.task,
        origin.plan.strategy,
        origin.plan.sequences,
    )
    width, pipeline = strategy.tensor, strategy.pipeline
    for tensor in sorted({width - 1, width + 1, width // 2, 2 * width} - {0, width}):
        stages = max(1, strategy.replica_chips // tensor)
        try:
            changed = replace(strategy, tensor=tensor, pipeline=stages)
        except PlanError:
            # Parts of a group and grids need widths that they divide.
            continue
        yield str(changed), task, changed, sequences
    for split in splits(task.model, width, machine_shape(origin.topology)):
        changed = replace(split, pipeline=pipeline, data=strategy.data)
        if split.expert > 1 or strategy.routing is Routing.ALL:
            changed = replace(changed, routing=strategy.routing)
        if _differing_keys(changed, strategy) == 1:
            yield str(changed), task, changed, sequences
    for stages in (pipeline - 1, pipeline + 1):
        if stages:
            changed = replace(strategy, pipeline=stages)
            yield str(changed), task, changed, sequences
    for more in (sequences - 1, sequences + 1):
        if more:
            yield f"sequences {more}", task, strategy, more


def _differing_keys(one: Strategy, other: Strategy) -> int:
    """Return in how many keys the splits of a layer of two strategies differ."""
    keys = "expert", "attention", "layout"
    return sum(getattr(one, key) != getattr(other, key) for key in keys)


def _changed(origin: _Origin) -> Iterator[tuple[str, Task, Strategy, int]]:
    """Yield other formats, deskew intervals and contexts."""
    task, strategy, sequences = (
        origin.plan.task,
        origin.plan.strategy,
        origin.plan.sequences,
    )
    machine = task.machine
    # Matrices of a checkpoint that are not quantised are wider.
    weights = min(
        (
            stored.element
            for group in WeightGroup
            for stored in task.formats.every(group)
        ),
        key=lambda element: element.bits,
    )
    settings: list[tuple[str, str | int]] = [
        (f"formats.{what}", _NARROWER[stored].value)
        for what, stored in (
            ("weights", weights),
            ("activations", machine.formats.activations),
            ("kv_cache", task.model.kv_cache or machine.formats.kv_cache),
        )
        if stored in _NARROWER
    ]
    epochs = origin.interval_cycles // machine.hac.epoch_cycles
    settings += [
        ("deskew.interval_epochs", count) for count in (epochs // 2, 2 * epochs)
    ]
    for key, value in settings:
        if value:
            yield f"{key}={value}", task.with_setting(key, value), strategy, sequences
    if task.context > 1:
        half = task.context // 2
        yield f"context {half:,}", task._replace(context=half), strategy, sequences
