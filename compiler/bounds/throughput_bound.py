"""Throughput bound: the least machine cycles for each token of a full pipeline.

The sequences in flight share the cycles of a token; and no token follows another before
the slowest stage is done and has deskewed.
"""

import numpy as np

from compiler.bounds.strategy_bound import SplitBound, model_blocks
from sharding.parallelism.strategy import Strategy
from sharding.planner.memory import kv_cache_bytes, weight_bytes
from sharding.weights.blocks import BlockKind
from sharding.weights.task import Task
from specs.units import ceil_div


def share_cycles(bound: SplitBound, strategy: Strategy, sequences: int) -> float:
    """Return the throughput bound: least machine cycles for each token.

    Parameters
    ----------
    bound
        Bounds of the pipelines of the strategy's groups.
    strategy
        The split; replicas share the machine's time.
    sequences
        Sequences in flight in each replica.
    """
    stages = strategy.pipeline
    token = bound.token_cycles(stages)
    share = token / sequences
    if sequences > 1:
        # Both stages are at work during a stage transfer.
        at_work = token + int(bound.transfer_cycles[stages - 1])
        stall_cycles = bound.task.machine.hac.epoch_cycles
        share = max(share, at_work / stages + stall_cycles)
    return share / strategy.data


def most_sequences(task: Task, stages: int) -> int:
    """Return an upper bound on the sequences that fit, for the throughput bound.

    It is 0 if memory holds none. Attention is never cut, so that some stage has at
    least its share of the layers, rounded up.

    Parameters
    ----------
    task
        The job on its groups; all chips of them share the attention of each layer.
    stages
        Stages of the pipeline.
    """
    chip = task.machine.chip
    layers = ceil_div(task.model.layers, stages)
    kinds = [
        block for block, _ in model_blocks(task) if block.kind is BlockKind.ATTENTION
    ]
    weights = np.min([weight_bytes(task, kind) for kind in kinds], axis=0)
    cache = np.min([kv_cache_bytes(task, kind, 1) for kind in kinds], axis=0)
    usable = chip.sram_bytes - chip.program_reserve_bytes - layers * weights
    room = usable // np.maximum(1, layers * cache)
    return max(0, int(room.min()))
