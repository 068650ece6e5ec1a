"""SRAM of a workload on each chip: weights, states and live activations."""

import numpy as np

from sharding.graph.tensor_layout import format_of, held_elements
from sharding.parallelism.grid import Grid
from sharding.planner.memory import StageMemory
from sharding.weights.task import bytes_of
from specs.arrays import Ints
from specs.graph import Matmul, Role
from specs.machine import MachineSpec
from workloads.graphs.numberings import weight_blocks
from workloads.graphs.workload import Workload


def workload_memory(
    workload: Workload, machine: MachineSpec, grid: Grid
) -> StageMemory:
    """Return a graph's SRAM bytes on each chip, with states in place of the KV cache.

    Activations are the largest set of inputs, activations and outputs alive at once. A
    tensor is alive from the operator that makes it, or the start, to the last operator
    that reads it, or the end.
    """
    stored = stored_bytes(workload, machine, grid)
    roles = {tensor.name: tensor.role for tensor in workload.tensors}
    zero = np.zeros(grid.chips, dtype=np.int64)

    def of(role: Role) -> Ints:
        return sum((stored[name] for name in roles if roles[name] is role), zero)

    return StageMemory(
        weights=of(Role.WEIGHTS),
        kv_cache=of(Role.STATE),
        activations=alive_bytes(workload, machine, grid).max(axis=0),
        program=zero + machine.chip.program_reserve_bytes,
    )


def stored_bytes(
    workload: Workload, machine: MachineSpec, grid: Grid
) -> dict[str, Ints]:
    """Return the bytes of each tensor of a graph on each chip, shape ``(chips,)``."""
    formats = machine.formats
    held = held_elements(workload, grid)
    return {
        tensor.name: bytes_of(format_of(tensor, formats), held[tensor.name])
        for tensor in workload.tensors
    }


def alive_bytes(workload: Workload, machine: MachineSpec, grid: Grid) -> Ints:
    """Return a graph's live bytes during each operator, shape ``(operators, chips)``.

    Weights and states, which are always allocated, are not counted.
    """
    stored = stored_bytes(workload, machine, grid)
    last = len(workload.operators) - 1
    made: dict[str, int] = {}
    read: dict[str, int] = {}
    for number, operator in enumerate(workload.operators):
        made |= dict.fromkeys(operator.makes, number)
        read |= dict.fromkeys(operator.reads, number)
    change = np.zeros((last + 2, grid.chips), dtype=np.int64)
    for tensor in workload.tensors:
        if tensor.role in (Role.WEIGHTS, Role.STATE):
            continue
        name = tensor.name
        change[0 if tensor.role is Role.INPUT else made[name]] += stored[name]
        change[(last if tensor.role is Role.OUTPUT else read[name]) + 1] -= stored[name]
    alive = np.cumsum(change, axis=0)[:-1]
    if grid.row > 1:
        alive += _partial_bytes(workload, machine, grid)
    return alive


def _partial_bytes(workload: Workload, machine: MachineSpec, grid: Grid) -> Ints:
    """Return the bytes of partial sums, shape ``(operators, chips)``.

    Before the reduce-scatter a chip has partial sums of all of its columns.
    """
    partial = np.zeros((len(workload.operators), grid.chips), dtype=np.int64)
    blocks = weight_blocks(workload)
    for number, product in enumerate(workload.operators):
        if not isinstance(product, Matmul):
            continue
        right = workload.by_name[product.right]
        if right.role is Role.WEIGHTS:
            output = workload.by_name[product.output]
            left, end = grid.columns(right.columns, blocks[right.name])
            share = output.elements // right.columns * (end - left)
            partial[number] = bytes_of(format_of(output, machine.formats), share)
    return partial
