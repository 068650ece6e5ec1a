"""Overlap of a block's exchanges with its products: which columns a chip does apart.

A chip has its own shard of a block's input before the all-gather, and needs the sums of
its own shard of the output only after the reduce-scatter. So a first product may begin
with the chip's own columns of the input, and a last product may make the chip's own
columns of the output last. The norm's factor, which is not known before the all-gather,
is applied to the sums.
"""

from typing import NamedTuple

from sharding.parallelism.tensor_group import Range
from specs.arrays import Ints


class Overlap(NamedTuple):
    """Overlap of a block: what runs beside which exchange.

    Attributes
    ----------
    gather
        Whether the first product begins beside the all-gather.
    scatter
        Whether the last product ends beside the reduce-scatter.
    """

    gather: bool = False
    scatter: bool = False


NO_OVERLAP = Overlap()


def own_columns(shard: Range, tile: int) -> Range:
    """Return the columns of each chip's shard that a product does apart.

    A shard of a tile or more is cut at whole tiles, so that the product takes no more
    tiles in two parts than in one.

    Parameters
    ----------
    shard
        Each chip's shard of the hidden dimension.
    tile
        Columns of a tile of the matrix unit.
    """
    sizes = shard.sizes
    whole: Ints = sizes // tile * tile
    return Range(shard.start, shard.start + whole + sizes * (whole == 0))


def other_columns(own: Range, hidden: int) -> tuple[Range, Range]:
    """Return the columns of a block's overlap before and after a chip's own ones."""
    return Range(0 * own.start, own.start), Range(own.end, 0 * own.end + hidden)
