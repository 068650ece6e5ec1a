"""Cuts of an encoder into stages that count compute, exchanges and stage transfers."""

from functools import cache
from typing import NamedTuple

import numpy as np

from compiler.bounds.congestion_bound import CongestionBound
from compiler.collectives.exchange_phases import exchange_candidates
from compiler.ir.messages import MessageTable
from sharding.operators.block_operators import block_operators, carried_bytes
from sharding.operators.operators import Compute
from sharding.parallelism.strategy import Strategy
from sharding.transformer.blocks import Block
from sharding.transformer.task import Task
from specs.arrays import Ints
from topologies.topology import Topology


class StageCutProblem(NamedTuple):
    """An encoder under a strategy, with the latency bound of its messages."""

    task: Task
    strategy: Strategy
    units: list[Block]
    topology: Topology
    links: CongestionBound


def min_max_cuts(problem: StageCutProblem) -> list[int]:
    """Return the cuts with the fastest slowest stage, to compare with those by FLOPs.

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
    """Return the cycles of a stage by its first block and the one after its last.

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
    """Return the cycles of a block: compute, and the bound of its exchanges."""
    topology = problem.topology
    group = topology.active[: problem.task.tensor].astype(np.int64)
    total = 0
    for operator in block_operators(problem.task, block):
        if isinstance(operator, Compute):
            total += int(operator.cycles.max())
            continue
        candidates = exchange_candidates(topology, operator, group)
        total += min(
            sum(problem.links.cycles(phase.messages) for phase in phases)
            for phases in candidates
        )
    return total


def _transfer_cycles(problem: StageCutProblem, into: Block) -> int:
    """Return the cycles of the stage transfer to a stage that begins with a block."""
    width, chips = problem.task.tensor, problem.topology.active.astype(np.int64)
    if 2 * width > len(chips):
        return 0
    sizes = carried_bytes(problem.task, into)
    messages = MessageTable(chips[:width], chips[width : 2 * width], sizes)
    return problem.links.cycles(messages)
