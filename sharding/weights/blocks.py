"""Blocks of a model: the pieces, finer than layers, that pipeline stages hold."""

from enum import StrEnum
from typing import NamedTuple

from specs.errors import PlanError
from specs.machine import MachineSpec
from specs.model import ModelSpec
from specs.model_formats import ModelFormats, WeightGroup
from specs.units import ceil_div
from specs.weight_formats import WeightFormat

# A piece takes a small part of a chip's memory, so that stages can be balanced.
_PIECES_PER_CHIP = 16
_LEAST_PIECES = 8
# A model that would need more pieces does not fit such small chips anyway.
_MOST_PIECES = 4096


class BlockKind(StrEnum):
    """The part of a model that a block belongs to."""

    EMBEDDING = "embedding"
    ATTENTION = "attention"
    FEED_FORWARD = "feed_forward"
    HEAD = "head"


class Block(NamedTuple):
    """A block: parts ``first .. last - 1`` of the `parts` equal parts of a module.

    A feed-forward is cut along its intermediate dimension, the embedding and the head
    along the vocabulary. Attention and an encoder's head stay whole.
    """

    kind: BlockKind
    layer: int
    first: int
    last: int
    parts: int

    @property
    def opens(self) -> bool:
        """Return whether the block holds the first part of its module."""
        return self.first == 0

    @property
    def closes(self) -> bool:
        """Return whether the block holds the last part of its module."""
        return self.last == self.parts

    def range_of(self, elements: int) -> tuple[int, int]:
        """Return the block's range of a cut dimension of `elements`, end exclusive."""
        return elements * self.first // self.parts, elements * self.last // self.parts


def whole_blocks(model: ModelSpec) -> list[Block]:
    """Return the modules of a transformer as whole blocks, in order."""
    layers = range(model.layers)
    return [
        Block(BlockKind.EMBEDDING, -1, 0, 1, 1),
        *(Block(BlockKind.ATTENTION, layer, 0, 1, 1) for layer in layers),
        *(Block(BlockKind.FEED_FORWARD, layer, 0, 1, 1) for layer in layers),
        Block(BlockKind.HEAD, model.layers, 0, 1, 1),
    ]


def model_units(
    model: ModelSpec, machine: MachineSpec, *, tensor: int, pipeline: int
) -> list[Block]:
    """Return the smallest blocks of a transformer, of one part each, as executed.

    Parameters
    ----------
    model, machine
        The model, and the chips whose memory decides how finely it is cut.
    tensor
        Chips that share each block.
    pipeline
        Stages. There are at least as many blocks.

    Raises
    ------
    PlanError
        If the model cannot be cut into as many blocks as there are stages.
    """
    formats = model.formats or ModelFormats.uniform(machine.formats.weights)

    def pieces(elements: int, finest: int, stored: WeightFormat) -> int:
        chip_bytes = machine.chip.sram_bytes * tensor
        # Scales do not change how finely a module is cut.
        element_bytes = stored.element.bytes_of(elements)
        wanted = ceil_div(element_bytes * _PIECES_PER_CHIP, chip_bytes)
        return min(finest, wanted, _MOST_PIECES)

    table = model.vocabulary_size * model.hidden_size
    tables = max(1, pieces(table, model.vocabulary_size, formats.embedding) // 4)

    def feed_forward_pieces(layer: int) -> int:
        inner = model.inner_size(layer)
        routed = model.has_experts(layer)
        group = WeightGroup.EXPERTS if routed else WeightGroup.FEED_FORWARD
        stored = formats.of(group, layer)
        wanted = max(
            _LEAST_PIECES,
            pieces(model.feed_forward_parameters_in(layer), inner, stored),
            # Stages left over once every layer has its attention.
            2 * ceil_div(max(0, pipeline - model.layers), model.layers),
        )
        return min(wanted, inner)

    units = [Block(BlockKind.EMBEDDING, -1, p, p + 1, tables) for p in range(tables)]
    for layer in range(model.layers):
        feed_forward = feed_forward_pieces(model.feed_forward_like(layer))
        units.append(Block(BlockKind.ATTENTION, layer, 0, 1, 1))
        units += [
            Block(BlockKind.FEED_FORWARD, layer, p, p + 1, feed_forward)
            for p in range(feed_forward)
        ]
    # An encoder pools with one small matrix, which stays whole.
    heads = 1 if model.structure.encoder else tables
    units += [
        Block(BlockKind.HEAD, model.layers, p, p + 1, heads) for p in range(heads)
    ]
    most = max(unit.parts for unit in units if unit.kind is BlockKind.FEED_FORWARD)
    if len(units) < pipeline:
        raise PlanError(
            f"pipeline={pipeline} has more stages than {model.name} has pieces: "
            f"{model.layers} layers of 1 + {most}; use pipeline={len(units)} "
            "or fewer"
        )
    return units


def merged(units: list[Block]) -> tuple[Block, ...]:
    """Return the transformer blocks from joining consecutive parts of one module."""
    blocks: list[Block] = []
    for unit in units:
        if (
            blocks
            and blocks[-1].kind == unit.kind
            and blocks[-1].layer == unit.layer
            and blocks[-1].last == unit.first
        ):
            blocks[-1] = blocks[-1]._replace(last=unit.last)
        else:
            blocks.append(unit)
    return tuple(blocks)
