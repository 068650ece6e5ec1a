"""Stored weights of a block: the number format of each tensor, and bytes of slices."""

from sharding.parallelism.ranges import TensorSlices
from sharding.weights.blocks import Block, BlockKind, whole_blocks
from sharding.weights.task import Task
from sharding.weights.tensor_names import names_of
from sharding.weights.weight_slices import SHARED_NORM, TIED, block_slices
from specs.arrays import Ints
from specs.machine import MachineSpec
from specs.model import ModelSpec
from specs.model_formats import WeightGroup
from specs.weight_formats import WeightFormat

_WHOLE_BLOCKS = {
    BlockKind.EMBEDDING: WeightGroup.EMBEDDING,
    BlockKind.ATTENTION: WeightGroup.ATTENTION,
    BlockKind.HEAD: WeightGroup.HEAD,
}


def matrices_of(model: ModelSpec, block: Block) -> WeightGroup:
    """Return the group of tensors to which the matrices of a transformer block belong.

    Routers and a shared expert, which are beside the experts of a block, are not among
    them.
    """
    routed = model.has_experts(block.layer)
    feed_forward = WeightGroup.EXPERTS if routed else WeightGroup.FEED_FORWARD
    return _WHOLE_BLOCKS.get(block.kind, feed_forward)


def tensor_format(
    model: ModelSpec, plain: WeightFormat, block: Block, part: TensorSlices
) -> WeightFormat:
    """Return the number format in which a tensor of a sharded block is stored.

    Parameters
    ----------
    model
        The model.
    plain
        Format of a model that is not quantised.
    block, part
        The block, and slices of one of its tensors.
    """
    if model.formats is None:
        return plain
    names = names_of(model.family, experts=model.experts)
    tensor = part.tensor.removesuffix(".weight")

    def is_one_of(*templates: str) -> bool:
        return tensor in [template.format(layer=block.layer) for template in templates]

    group = matrices_of(model, block)
    if is_one_of(names.shared_gate, names.shared_up, names.shared_down):
        group = WeightGroup.SHARED_EXPERTS
    # The norm of an embedding is no table.
    norm = names.embedding_norm
    table = block.kind is BlockKind.EMBEDDING and not (norm and norm in part.tensor)
    router = is_one_of(names.router, names.shared_router)
    if router or not (part.multiplied or table):
        group = WeightGroup.OTHERS
    return model.formats.of(group, block.layer)


def checkpoint_bytes(model: ModelSpec, machine: MachineSpec) -> int:
    """Return the bytes of all sharded weights on one chip, each tensor once.

    They are those of a checkpoint in the same formats: a tied head is not repeated.

    Parameters
    ----------
    model, machine
        The model, and the machine whose formats it has if it is not quantised.
    """
    task = Task(model, machine, tensor=1, context=1, batch=1)
    known: dict[Block, int] = {}
    total = 0
    for block in whole_blocks(model):
        like = task.like(block)
        if like not in known:
            known[like] = sum(
                int(slice_bytes(model, machine.formats.weights, like, part).sum())
                for part in block_slices(model, like, task.group)
                if not part.tensor.endswith((TIED, SHARED_NORM))
            )
        total += known[like]
    return total


def slice_bytes(
    model: ModelSpec, plain: WeightFormat, block: Block, part: TensorSlices
) -> Ints:
    """Return the bytes of each chip's slice of a tensor, shape ``(width,)``.

    Scales are counted: those of all weights of the slice. Parameters are those of
    `tensor_format`.
    """
    return tensor_format(model, plain, block, part).slice_bytes(
        (part.row_start, part.row_end), (part.column_start, part.column_end)
    )
