"""SRAM of a workload on each chip: weights, states and live activations."""

import numpy as np

from sharding.parallelism.grid import Grid
from sharding.planner.memory import StageMemory
from sharding.weights.task import bytes_of
from sharding.workloads.tensor_layout import format_of, held_elements
from specs.arrays import Ints
from specs.graph import Matmul, Role
from specs.machine import MachineSpec
from workloads.graphs.numberings import weight_blocks
from workloads.graphs.workload import Workload


def workload_memory(
    workload: Workload,
    machine: MachineSpec,
    grid: Grid,
    stage: range | None = None,
) -> StageMemory:
    """Return a graph's SRAM bytes on each chip, with states in place of the KV cache.

    Activations are the largest set of inputs, activations and outputs alive at once. A
    tensor is alive from the operator that makes it, or the start, to the last operator
    that reads it, or the end.

    Parameters
    ----------
    workload, machine, grid
        The graph, the machine, and the grid of a stage.
    stage
        Numbers of the operators of the stage, None for all.
    """
    numbers = range(len(workload.operators)) if stage is None else stage
    stored = stored_bytes(workload, machine, grid)
    own = workload.operators[numbers.start : numbers.stop]
    used = {name for operator in own for name in (*operator.reads, *operator.makes)}
    zero = np.zeros(grid.width, dtype=np.int64)

    def of(role: Role) -> Ints:
        held = (
            stored[tensor.name]
            for tensor in workload.tensors
            if tensor.role is role and tensor.name in used
        )
        return sum(held, zero)

    return StageMemory(
        weights=of(Role.WEIGHTS),
        kv_cache=of(Role.STATE),
        activations=alive_bytes(workload, machine, grid, numbers).max(axis=0),
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


def alive_bytes(
    workload: Workload, machine: MachineSpec, grid: Grid, numbers: range
) -> Ints:
    """Return a graph's live bytes during operators of a stage, ``(operators, chips)``.

    Weights and states, which are always allocated, are not counted. Inputs are alive in
    the stages that read them, and outputs to the end of the stage that makes them; what
    a stage only passes on is alive in it too.

    Parameters
    ----------
    workload, machine, grid
        The graph, the machine, and the grid of the stage.
    numbers
        Numbers of the operators of the stage.
    """
    stored = stored_bytes(workload, machine, grid)
    made: dict[str, int] = {}
    read: dict[str, int] = {}
    for number, operator in enumerate(workload.operators):
        made |= dict.fromkeys(operator.makes, number)
        read |= dict.fromkeys(operator.reads, number)
    own = workload.operators[numbers.start : numbers.stop]
    change = np.zeros((len(numbers) + 1, grid.width), dtype=np.int64)
    for tensor in workload.tensors:
        name = tensor.name
        if tensor.role in (Role.WEIGHTS, Role.STATE):
            continue
        begin, end = made.get(name, 0), read.get(name, -1)
        if tensor.role is Role.INPUT:
            reads = [
                n for n, each in zip(numbers, own, strict=True) if name in each.reads
            ]
            if not reads:
                continue
            begin, end = numbers.start, reads[-1]
        elif tensor.role is Role.OUTPUT and begin in numbers:
            end = numbers.stop - 1
        begin, end = max(begin, numbers.start), min(end, numbers.stop - 1)
        if begin <= end:
            change[begin - numbers.start] += stored[name]
            change[end + 1 - numbers.start] -= stored[name]
    alive = np.cumsum(change, axis=0)[:-1]
    if grid.row > 1:
        partial = _partial_bytes(workload, machine, grid)
        alive += partial[numbers.start : numbers.stop]
    return alive


def _partial_bytes(workload: Workload, machine: MachineSpec, grid: Grid) -> Ints:
    """Return the bytes of partial sums, shape ``(operators, chips)``.

    Before the reduce-scatter a chip has partial sums of all of its columns.
    """
    partial = np.zeros((len(workload.operators), grid.width), dtype=np.int64)
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
