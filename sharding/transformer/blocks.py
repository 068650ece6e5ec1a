"""A model cut into the pieces that a pipeline stage may hold, finer than a layer."""

from enum import StrEnum
from typing import NamedTuple

from specs.errors import PlanError
from specs.machine import MachineSpec
from specs.model import ModelSpec
from specs.units import ceil_div

# A piece should be small against a chip, so that stages can be balanced and filled.
_PIECES_PER_CHIP = 16
_LEAST_PIECES = 8
# A chip so small that it would take more does not hold the model anyway.
_MOST_PIECES = 4096


class BlockKind(StrEnum):
    """What a piece of the model is a piece of."""

    EMBEDDING = "embedding"
    ATTENTION = "attention"
    FEED_FORWARD = "feed_forward"
    HEAD = "head"


class Block(NamedTuple):
    """Consecutive parts ``first .. last - 1`` of `parts` equal ones of a piece.

    The feed-forward is cut along its intermediate dimension, the embedding and the
    head along the vocabulary; attention and an encoder's head stay whole.
    """

    kind: BlockKind
    layer: int
    first: int
    last: int
    parts: int

    @property
    def opens(self) -> bool:
        """Return whether this is the beginning of the piece."""
        return self.first == 0

    @property
    def closes(self) -> bool:
        """Return whether this is the end of the piece."""
        return self.last == self.parts

    def range_of(self, elements: int) -> tuple[int, int]:
        """Return which of `elements` along the cut dimension the block holds."""
        return elements * self.first // self.parts, elements * self.last // self.parts


def model_units(
    model: ModelSpec, machine: MachineSpec, *, tensor: int, pipeline: int
) -> list[Block]:
    """Return the pieces of a model in execution order, each a block of one part.

    Parameters
    ----------
    model, machine
        What is cut, and the chips whose memory says how finely.
    tensor
        Chips that share each piece.
    pipeline
        Stages; there are at least as many pieces.

    Raises
    ------
    PlanError
        If the model cannot be cut into as many pieces as there are stages.
    """
    weights = machine.formats.weights

    def pieces(elements: int, finest: int) -> int:
        chip_bytes = machine.chip.sram_bytes * tensor
        wanted = ceil_div(weights.bytes_of(elements) * _PIECES_PER_CHIP, chip_bytes)
        return min(finest, wanted, _MOST_PIECES)

    table = model.vocabulary_size * model.hidden_size
    tables = max(1, pieces(table, model.vocabulary_size) // 4)
    feed_forward = max(
        _LEAST_PIECES,
        pieces(model.feed_forward_parameters, model.intermediate_size),
        # Stages left over once every layer has its attention.
        2 * ceil_div(max(0, pipeline - model.layers), model.layers),
    )
    feed_forward = min(feed_forward, model.intermediate_size)
    units = [Block(BlockKind.EMBEDDING, -1, p, p + 1, tables) for p in range(tables)]
    for layer in range(model.layers):
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
    if len(units) < pipeline:
        raise PlanError(
            f"pipeline={pipeline} has more stages than {model.name} has pieces: "
            f"{model.layers} layers of 1 + {feed_forward}; use pipeline={len(units)} "
            "or fewer"
        )
    return units


def merged(units: list[Block]) -> tuple[Block, ...]:
    """Return units with the consecutive parts of one piece joined."""
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
