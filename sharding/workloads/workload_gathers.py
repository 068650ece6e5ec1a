"""Gathers of a workload: which parts of a result chips make, and where they meet.

A result that is read whole is all-gathered in the first stage that reads it. Until then
each member has its part, and passes it to its partner in the next stage.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np

from sharding.operators.operands import Operand, operand
from sharding.operators.operators import Exchange, Pattern
from sharding.weights.task import bytes_of
from sharding.workloads.tensor_layout import stays_split
from sharding.workloads.workload_plan import WorkloadPlan
from sharding.workloads.workload_regions import OperatorRegions
from specs.arrays import Ints
from specs.graph import Lookup, Matmul, Role, Vector


class Shards(NamedTuple):
    """Shards of a workload's result, one on each chip of a stage.

    Attributes
    ----------
    elements
        Elements on each chip, shape ``(width,)``.
    regions
        Returns the regions of them.
    """

    elements: Ints
    regions: Callable[[], tuple[Operand, ...]]


def shards_of(plan: WorkloadPlan, name: str) -> Shards | None:
    """Return the shards of a workload's result, None if each chip makes all of it."""
    grid, tensor = plan.strategy, plan.workload.by_name[name]
    number = plan.maker_of(name)
    operators = plan.workload.operators
    maker = operators[number]
    regions = OperatorRegions(plan, number)
    if isinstance(maker, Vector):
        if not maker.chained:
            return None
        maker = operators[number - 1]
    if isinstance(maker, Lookup):
        columns = grid.even_shares(tensor.columns)
        elements = tensor.matrices * tensor.rows * columns
        return Shards(elements, partial(regions.shard, name, 0))
    assert isinstance(maker, Matmul)
    right = plan.workload.by_name[maker.right]
    if right.role is Role.WEIGHTS:
        elements = grid.parts(tensor.elements, plan.columns[name])
        return Shards(elements, partial(regions.shard, name, 0))
    pairs = tensor.elements // right.matrices * grid.even_shares(right.matrices)
    return Shards(pairs, partial(regions.shard, name, right.matrices))


def gathering_stage(plan: WorkloadPlan, name: str) -> int:
    """Return the number of the stage in which a workload's result is gathered.

    A state and a gathered output meet where they are made, which is where the next
    iteration and the host find them.
    """
    tensor = plan.workload.by_name[name]
    own = plan.stage_of(plan.maker_of(name)).index
    if tensor.gathered or tensor.role is Role.STATE:
        return own
    readers = (
        stage.index for stage in plan.stages[own:] if stage.reads(plan.workload, name)
    )
    return next(readers, own)


def gather(plan: WorkloadPlan, name: str) -> list[Exchange]:
    """Return the exchange that gathers a workload's result, if there must be one."""
    tensor, uses = plan.workload.by_name[name], plan.uses[name]
    if plan.strategy.width == 1 or stays_split(tensor, uses, plan.columns):
        return []
    shards = shards_of(plan, name)
    if shards is None or not (uses or tensor.gathered):
        return []
    pattern = Pattern.GATHER if uses else Pattern.TO_LEADER
    shard_bytes = bytes_of(plan.stored_format(name), shards.elements)
    one_group = np.zeros(plan.strategy.width, dtype=np.int64)
    return [Exchange(name, pattern, shard_bytes, one_group, carries=shards.regions)]


def crossing(plan: WorkloadPlan, number: int) -> dict[str, str]:
    """Return what passes between two stages of a workload.

    Parameters
    ----------
    plan
        The plan.
    number
        Number of the first operator behind the cut.

    Returns
    -------
    dict
        Value of the graph by name of the tensor: what an operator before the cut makes
        and one behind it reads.
    """
    operators = plan.workload.operators
    behind = {name for operator in operators[number:] for name in operator.reads}
    before = zip(operators[:number], plan.operators[:number], strict=True)
    return {
        name: value
        for maker, made in before
        for name, value in zip(maker.makes, made.outputs, strict=True)
        if name in behind
    }


def crossing_shards(plan: WorkloadPlan, number: int) -> list[tuple[str, Shards]]:
    """Return what each member of a workload's stage passes to its partner.

    Parameters
    ----------
    plan
        The plan.
    number
        Number of the first operator behind the cut.

    Returns
    -------
    list
        Name of each tensor, and the shards: all elements on each member once the
        tensor is gathered.
    """
    into = plan.stage_of(number).index
    passed = []
    for name, value in crossing(plan, number).items():
        shards = shards_of(plan, name)
        if shards is None or gathering_stage(plan, name) < into:
            elements = plan.workload.by_name[name].elements
            all_of_it = np.full(plan.strategy.width, elements, dtype=np.int64)
            shards = Shards(all_of_it, partial(_whole, value, all_of_it))
        passed.append((name, shards))
    return passed


def _whole(value: str, elements: Ints) -> tuple[Operand, ...]:
    return (operand(value, 0, elements),)


def crossing_bytes(plan: WorkloadPlan, number: int) -> Ints:
    """Return the bytes that each member of a workload's stage passes to its partner.

    Parameters are those of `crossing_shards`; shape ``(width,)``.
    """
    none = np.zeros(plan.strategy.width, dtype=np.int64)
    return sum(
        (
            bytes_of(plan.stored_format(name), shards.elements)
            for name, shards in crossing_shards(plan, number)
        ),
        none,
    )
