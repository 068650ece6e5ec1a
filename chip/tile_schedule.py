"""When the matrix of a product is loaded, installed and multiplied.

A product of many vectors takes one set of tiles after the other, evenly: the first is
loaded as fast as weights can be fed, the others while those before them multiply, and
the last one ends with the product. With one vector the matrix streams without a pause.
"""

from typing import NamedTuple

from chip.mxm_tiling import TileSets, tile_sets
from chip.operator_cycles import FILL_STEPS, feed_bytes_per_cycle
from chip.operator_work import ProductWork
from specs.machine import ChipSpec
from specs.units import ceil_div

# Ends of loads are rounded to cycles, before and after.
_ROUNDING_CYCLES = 2
# Cycles of a part of the fill that leave no time to tell sets apart.
_TOO_SHORT_PART = 2


class Span(NamedTuple):
    """Bytes that move from a cycle on, for some cycles."""

    start: int
    cycles: int
    bytes: int


class TileSchedule(NamedTuple):
    """What happens to the tiles of a product; cycles count from the first load.

    Attributes
    ----------
    loads
        What is loaded, at most twice at an even rate.
    installs
        Each set from its first cycle of installation on.
    multiplies
        First cycle in which each set, installed, is there to be multiplied.
    multiply_cycles
        For how long each is.
    """

    loads: tuple[Span, ...]
    installs: tuple[Span, ...]
    multiplies: tuple[int, ...]
    multiply_cycles: int


def tiles_of(chip: ChipSpec, work: ProductWork) -> TileSets | None:
    """Return the tiles of `work`, or None if its matrix streams as one.

    That is so if its shape is unknown, if it has one vector, or if the buffers of the
    matrix unit or the pipeline have no room for a set.
    """
    if work.shape is None or work.batch == 1 or work.weights == 0:
        return None
    if chip.matmul_fill_cycles // FILL_STEPS <= _TOO_SHORT_PART:
        return None
    tiles = tile_sets(chip, work.operand_bytes, **work.shape._asdict())
    return tiles if tiles.set_bytes <= chip.mxm_buffer_bytes else None


def tile_schedule(
    chip: ChipSpec, work: ProductWork, tiles: TileSets, *, length: int, part: int
) -> TileSchedule:
    """Return when the tiles of a product load, install and multiply.

    Parameters
    ----------
    chip, work, tiles
        The product.
    length
        Cycles from the first load to the last row, without the fill of the pipeline.
    part
        Most cycles that a set takes to install, and between its load and that.
    """
    rate, room = feed_bytes_per_cycle(chip), chip.mxm_buffer_bytes
    fed, ahead = tiles.fed_bytes, work.preloaded_bytes
    rest = fed - ahead
    # When the first and the last set are there.
    first = ceil_div(max(0, tiles.set_bytes - ahead), rate)
    last = length + 1 - work.batch
    early = max(0, tiles.set_bytes - ahead, rest - rate * (last - first)) * (first > 0)
    early = min(early, rest)
    loads = (Span(0, first, early), Span(first, last - first, rest - early))
    gaps = max(1, tiles.sets - 1)
    begins, there = [], []
    for number in range(tiles.sets):
        span = (last - first) * number
        there.append(first + ceil_div(span, gaps))
        # What lies in the buffers then; the next set has its place beside it.
        held = ahead + early + (rest - early) * number // gaps
        held -= fed * number // tiles.sets
        wait = min(part, (room - held) // rate - _ROUNDING_CYCLES)
        begins.append(first + span // gaps + wait)
    installs = [
        Span(
            begin,
            min(part, after - begin),
            fed * (number + 1) // tiles.sets - fed * number // tiles.sets,
        )
        for number, (begin, after) in enumerate(
            zip(begins, [*begins[1:], begins[-1] + part], strict=True)
        )
    ]
    return TileSchedule(
        tuple(load for load in loads if load.bytes),
        tuple(installs),
        tuple(there),
        work.batch,
    )


def one_stream(work: ProductWork, *, length: int, part: int, lag: int) -> TileSchedule:
    """Return how a matrix streams through the planes without a pause.

    Parameters
    ----------
    work, length, part
        As for `tile_schedule`.
    lag
        Cycles between load and installation.
    """
    rest = work.fed_bytes - work.preloaded_bytes
    # What was loaded ahead leaves the buffers before what follows arrives there.
    installs = (Span(-part, part, work.preloaded_bytes), Span(lag, length, rest))
    return TileSchedule((Span(0, length, rest),), installs, (0,), length)
