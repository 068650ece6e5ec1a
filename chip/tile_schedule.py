"""Schedule of the tiles of a product: when they load, install and multiply.

A product of many vectors multiplies one set of tiles after the other at an even rate.
The first set is loaded at the weight feed rate, the others while earlier sets multiply.
The last set ends with the product. With one vector the matrix streams without a pause.
"""

from typing import NamedTuple

from chip.mxm_tiling import TileSets, tile_sets
from chip.operator_cycles import FILL_STEPS, feed_bytes_per_cycle
from chip.operator_work import ProductWork
from specs.machine import ChipSpec
from specs.units import ceil_div

# Ends of loads are rounded to cycles, before and after.
_ROUNDING_CYCLES = 2
# Up to this length a part of the fill is too short to install sets one by one.
_TOO_SHORT_PART = 2


class Span(NamedTuple):
    """Transfer of bytes: first cycle, number of cycles, bytes."""

    start: int
    cycles: int
    bytes: int


class TileSchedule(NamedTuple):
    """Schedule of the tiles of a product; cycles count from the first load.

    Attributes
    ----------
    loads
        Loads, at most two, each at an even rate.
    installs
        Installation of each set.
    multiplies
        First cycle in which each set is installed and can multiply.
    multiply_cycles
        Cycles for which each set multiplies.
    """

    loads: tuple[Span, ...]
    installs: tuple[Span, ...]
    multiplies: tuple[int, ...]
    multiply_cycles: int


def tiles_of(chip: ChipSpec, work: ProductWork) -> TileSets | None:
    """Return a chip's tiles of `work`, or None if its matrix streams as one.

    It streams if its shape is unknown, if it has one vector, if the pipeline fill is
    too short, or if a set of tiles exceeds the weight buffers.
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
    """Return the schedule of a tiled product on a chip's MXM.

    Parameters
    ----------
    chip, work, tiles
        The product.
    length
        Cycles from the first load to the last row, without the fill of the pipeline.
    part
        Maximum cycles to install a set, and maximum cycles between load and install.
    """
    rate, room = feed_bytes_per_cycle(chip), chip.mxm_buffer_bytes
    fed, ahead = tiles.fed_bytes, work.preloaded_bytes
    rest = fed - ahead
    # Cycles by which the first and the last set are loaded.
    first = ceil_div(max(0, tiles.set_bytes - ahead), rate)
    last = length + 1 - work.batch
    early = max(0, tiles.set_bytes - ahead, rest - rate * (last - first)) * (first > 0)
    early = min(early, rest)
    loads = (Span(0, first, early), Span(first, last - first, rest - early))
    gaps = max(1, tiles.sets - 1)
    begins, loaded = [], []
    for number in range(tiles.sets):
        span = (last - first) * number
        loaded.append(first + ceil_div(span, gaps))
        # Bytes in the buffers then; the next set must fit beside them.
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
        tuple(loaded),
        work.batch,
    )


def one_stream(work: ProductWork, *, length: int, part: int, lag: int) -> TileSchedule:
    """Return the MXM schedule of a matrix that streams through a chip without a pause.

    Parameters
    ----------
    work, length, part
        As for `tile_schedule`.
    lag
        Cycles between load and installation.
    """
    rest = work.fed_bytes - work.preloaded_bytes
    # Prefetched weights leave the buffers before the following weights arrive.
    installs = (Span(-part, part, work.preloaded_bytes), Span(lag, length, rest))
    return TileSchedule((Span(0, length, rest),), installs, (0,), length)
