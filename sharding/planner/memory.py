"""SRAM of a pipeline stage: weights, KV cache, activations and program of each chip."""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from sharding.parallelism.tensor_group import TensorGroup
from sharding.partition.expert_routing import routed
from sharding.partition.latent.forms import latent_bytes
from sharding.partition.linear.recurrence import linear_bytes
from sharding.weights.blocks import Block, BlockKind
from sharding.weights.stored_weights import slice_bytes, tensor_format
from sharding.weights.task import FP32_BYTES, Task, bytes_of
from sharding.weights.weight_slices import counted_slices
from specs.arrays import Ints
from specs.linear_attention import STATE_FORMAT
from specs.model import ModelSpec
from specs.units import ceil_div
from specs.weight_formats import WeightFormat


class StageMemory(NamedTuple):
    """SRAM bytes on each chip of a stage, arrays of shape ``(width,)``."""

    weights: Ints
    kv_cache: Ints
    activations: Ints
    program: Ints

    @property
    def total(self) -> Ints:
        """Return the sum of all bytes on each chip, shape ``(width,)``."""
        return self.weights + self.kv_cache + self.activations + self.program


def weight_bytes(task: Task, block: Block) -> Ints:
    """Return the planned weight bytes of `block` on each chip, shape ``(width,)``."""
    stored = task.machine.formats.weights
    return _weight_bytes(task.model, stored, task.group, task.like(block))


@lru_cache(maxsize=4096)
def _weight_bytes(
    model: ModelSpec, stored: WeightFormat, group: TensorGroup, block: Block
) -> Ints:
    """Return the weight bytes of a block, counted once for all layers like it.

    A layer may have hundreds of experts, each with slices of its own.
    """
    total = np.zeros(group.width, dtype=np.int64)
    for tensor, count in counted_slices(model, block, group):
        total += count * slice_bytes(model, stored, block, tensor)
    total.flags.writeable = False
    return total


def least_weight_bytes(task: Task, block: Block) -> int:
    """Return a planned lower bound of the weight bytes of `block` on all chips.

    It holds for the sum of all parts of the block as well, wherever it is cut: a cut
    through a block of a format with scales repeats a scale, and saves none.
    """
    model, plain = task.model, task.machine.formats.weights
    total = 0
    for tensor, count in counted_slices(model, block, task.group):
        stored = tensor_format(model, plain, block, tensor)
        if stored.scaled:
            elements = int(tensor.elements.sum())
            total += count * math.floor(elements * stored.bits / 8)
        else:
            total += count * int(slice_bytes(model, plain, block, tensor).sum())
    return total


def kv_cache_bytes(task: Task, block: Block, sequences: int) -> Ints:
    """Return the planned KV-cache bytes of `block` on each chip, shape ``(width,)``.

    A layer with a sliding window keeps only the positions that are attended to, and one
    of linear attention the states of its heads instead. An encoder keeps no KV cache.

    Parameters
    ----------
    task, block
        The task and one of its model's blocks.
    sequences
        Sequences in flight; each keeps a KV cache of its own.
    """
    if block.kind is not BlockKind.ATTENTION or task.model.structure.encoder:
        return np.zeros(task.tensor, dtype=np.int64)
    if task.model.is_linear(block.layer):
        return _state_bytes(task, block) * task.batch * sequences
    heads = task.group.heads(task.model.kv_heads, block.layer)
    positions = -(-task.cached_tokens(block) // heads.members)
    if task.model.latent is None:
        cached = 2 * heads.heads * task.model.head_dim
    else:
        # Heads share latents: each chip that has any keeps all of them.
        cached = (heads.heads > 0) * task.model.cached_size
    elements = cached * positions
    stored = task.cached_format
    return -(-elements * task.batch * sequences * stored.bits // 8)


def _state_bytes(task: Task, block: Block) -> Ints:
    """Return the bytes of a sequence's states on each chip, in one linear layer."""
    linear = task.model.linear
    assert linear is not None
    heads = task.group.heads(linear.key_heads, block.layer).heads
    by_head = linear.key_dim * linear.value_dim * linear.sharing
    tails = linear.tail_elements // linear.key_heads
    return bytes_of(STATE_FORMAT, heads * by_head) + bytes_of(
        task.activation_format, heads * tails
    )


def activation_bytes(task: Task, blocks: tuple[Block, ...]) -> Ints:
    """Return the planned bytes of the most activations alive at once on each chip.

    The all-gathered input, the partial output and the residual, each of the hidden
    size, are alive throughout a block, and so is the input of parallel ones. To these
    come the attention scores in FP32, or the gate and up outputs, or the logits in
    FP32. If several positions of a sequence are computed together, their queries are
    alive too. In an encoder, which keeps no KV cache, so are the keys and values.
    """
    model, width = task.model, task.tensor
    split = task.group
    group = model.attention_heads // model.kv_heads
    most = np.zeros(width, dtype=np.int64)
    for block in blocks:
        if block.kind is BlockKind.ATTENTION and model.is_linear(block.layer):
            alive = linear_bytes(task, block)
        elif block.kind is BlockKind.ATTENTION:
            heads = split.heads(model.kv_heads, block.layer)
            scores = heads.heads * group * task.score_tokens(block, heads.members)
            alive = FP32_BYTES * scores * task.batch
            if model.latent is not None:
                alive += latent_bytes(task, block)
            elif task.sequence_tokens > 1 or model.structure.output_gates:
                made = (
                    group * (1 + model.structure.output_gates)
                    + 2 * model.structure.encoder
                )
                alive += task.tokens * bytes_of(
                    task.activation_format, heads.heads * made * model.head_dim
                )
        elif block.kind is BlockKind.FEED_FORWARD:
            low, high = block.range_of(model.inner_size(block.layer))
            chosen = ceil_div(routed(task, block.layer).pairs, task.tokens)
            groups = split.expert if model.has_experts(block.layer) else 1
            parts = width // (split.inputs * groups)
            columns = ceil_div(high - low, parts) * chosen
            low, high = block.range_of(model.shared_size(block.layer))
            columns += ceil_div(high - low, width)
            alive = np.full(
                width,
                model.projections_in * task.activation_format.bytes_of(columns),
            )
            alive *= task.tokens
        elif block.kind is BlockKind.HEAD:
            low, high = block.range_of(model.head_rows)
            alive = np.full(width, FP32_BYTES * (-(-(high - low) // width)))
            alive *= task.answering().tokens
        else:
            alive = np.zeros(width, dtype=np.int64)
        most = np.maximum(most, alive)
    alive_hidden = 3 + model.block_order.is_parallel
    hidden = alive_hidden * task.activation_format.bytes_of(model.hidden_size)
    return most + hidden * task.tokens


def stage_memory(task: Task, blocks: tuple[Block, ...], sequences: int) -> StageMemory:
    """Return the planned SRAM bytes of a stage of `blocks` on each chip.

    Parameters
    ----------
    task, blocks
        The task, and the blocks of the stage in order.
    sequences
        Sequences in flight.
    """
    zero = np.zeros(task.tensor, dtype=np.int64)
    return StageMemory(
        weights=sum((weight_bytes(task, block) for block in blocks), zero),
        kv_cache=sum(
            (kv_cache_bytes(task, block, sequences) for block in blocks), zero
        ),
        activations=activation_bytes(task, blocks),
        program=zero + task.machine.chip.program_reserve_bytes,
    )


def stage_memories(
    task: Task, blocks: Sequence[tuple[Block, ...]], sequences: int
) -> list[StageMemory]:
    """Return the planned SRAM bytes of all stages of a replica on each chip.

    If caches are mirrored, each stage also keeps the KV cache of the one before it, and
    the first stage that of the last.

    Parameters
    ----------
    task, blocks
        The task, and the blocks of each stage in order.
    sequences
        Sequences in flight.
    """
    memories = [stage_memory(task, held, sequences) for held in blocks]
    if not task.mirrored:
        return memories
    caches = [memory.kv_cache for memory in memories]
    return [
        memory._replace(kv_cache=memory.kv_cache + mirrored)
        for memory, mirrored in zip(memories, caches[-1:] + caches[:-1], strict=True)
    ]
