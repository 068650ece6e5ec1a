"""A grid split of weight matrices, ``column=4,row=2``, in stages of a pipeline."""

from dataclasses import dataclass
from typing import NamedTuple, final

import numpy as np

from sharding.parallelism.ranges import bounds
from specs.arrays import Ints
from specs.errors import PlanError, nearest

_KEYS = ("column", "row", "pipeline", "tensor")
_SIDES = ("column", "row")


class ColumnSplit(NamedTuple):
    """Split of a product's result over a grid of chips, as its weights are split.

    Attributes
    ----------
    columns
        Columns of the weights.
    blocks
        Blocks of columns of which a chip has as many, each the same places: a function
        takes an element of each. The columns of a place are not parted.
    step
        Elements of the result that are not parted either, as they are of one place.
    """

    columns: int
    blocks: int = 1
    step: int = 1


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """A grid of chips over which every weight matrix is split by columns and rows.

    Chips of one grid column hold the same columns and different rows; their partial
    sums are added. Member ``c * row + r`` holds the columns of part c and the rows of
    part r.

    Parameters
    ----------
    column
        Parts into which the columns are split.
    row
        Parts into which the rows are split.
    pipeline
        Stages, each of such a grid of its own, which hold consecutive operators.
    """

    column: int
    row: int
    pipeline: int = 1

    @property
    def width(self) -> int:
        """Return the number of chips of a stage."""
        return self.column * self.row

    @property
    def chips(self) -> int:
        """Return the number of chips of all stages."""
        return self.width * self.pipeline

    @property
    def column_of(self) -> Ints:
        """Return the column part of each member, shape ``(chips,)``."""
        return np.repeat(np.arange(self.column, dtype=np.int64), self.row)

    @property
    def row_of(self) -> Ints:
        """Return the row part of each member, shape ``(chips,)``."""
        return np.tile(np.arange(self.row, dtype=np.int64), self.column)

    def columns(self, elements: int, blocks: int = 1) -> tuple[Ints, Ints]:
        """Return the first and the end column of each member, shape ``(chips,)``.

        Parameters
        ----------
        elements
            Columns.
        blocks
            As in `ColumnSplit`.
        """
        edges = blocks * bounds(elements // blocks, self.column)
        return edges[self.column_of], edges[self.column_of + 1]

    def rows(self, elements: int) -> tuple[Ints, Ints]:
        """Return the first and the end row of each member, shape ``(chips,)``."""
        edges = bounds(elements, self.row)
        return edges[self.row_of], edges[self.row_of + 1]

    def parts(self, elements: int, split: ColumnSplit) -> Ints:
        """Return the elements of a product's result on each member, shape ``(chips,)``.

        The result is split by the columns of the weights, and each part by the rows
        of the grid, since a reduce-scatter leaves it so.

        Parameters
        ----------
        elements
            Elements of the result.
        split
            How the result is split.
        """
        first, last = self.part_edges(elements, split)
        return last - first

    def part_edges(self, elements: int, split: ColumnSplit) -> tuple[Ints, Ints]:
        """Return the first and the end element of each member's part of a result.

        Elements are counted in the order of columns, shape ``(chips,)`` each.
        Parameters are those of `parts`.
        """
        columns = split.blocks * bounds(split.columns // split.blocks, self.column)
        edges = elements * columns // split.columns
        steps = np.diff(edges)[self.column_of] // split.step
        begin, end = steps * self.row_of // self.row, steps * (self.row_of + 1)
        base = edges[self.column_of]
        return base + begin * split.step, base + end // self.row * split.step

    def even_edges(self, elements: int) -> tuple[Ints, Ints]:
        """Return the first and the end element of each member's even share."""
        edges = bounds(elements, self.width)
        return edges[:-1], edges[1:]

    def even_shares(self, elements: int) -> Ints:
        """Return the most even split over all members, shape ``(chips,)``."""
        return np.diff(bounds(elements, self.width))

    def __str__(self) -> str:
        """Return the grid in the form that `parse_grids` reads."""
        stages = f",pipeline={self.pipeline}" if self.pipeline > 1 else ""
        return f"column={self.column},row={self.row}{stages}"


def parse_grids(text: str, chips: int) -> list[Grid]:
    """Return the parallelism grids that `text` allows for.

    Parameters
    ----------
    text
        ``column=C,row=R,pipeline=P`` in any order. Without a side the other becomes as
        large as the chips allow; without pipeline there is one stage. ``tensor=T``
        instead of both sides stands for every grid of T chips.
    chips
        Chips that are available.

    Raises
    ------
    PlanError
        If a key is unknown or given twice, a value is not a positive number, or a grid
        needs more chips than are available.

    Examples
    --------
    >>> [str(grid) for grid in parse_grids("row=2", 8)]
    ['column=4,row=2']
    >>> [str(grid) for grid in parse_grids("tensor=2,pipeline=3", 8)]
    ['column=2,row=1,pipeline=3', 'column=1,row=2,pipeline=3']
    """
    values: dict[str, int] = {}
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        key, _, number = (piece.strip() for piece in part.partition("="))
        if key not in _KEYS:
            raise PlanError(
                f"strategy {text!r} of a workload: no key {key!r}; "
                f"{nearest(key, _KEYS)}"
            )
        if key in values or not number.isdecimal() or int(number) < 1:
            raise PlanError(
                f"strategy {text!r} of a workload: {key} needs one number of at least "
                f"1, as in column=4,row=2"
            )
        values[key] = int(number)
    if not values:
        raise PlanError(f"strategy {text!r} is empty; write column=4,row=2, or auto")
    pipeline = values.pop("pipeline", 1)
    width = values.pop("tensor", 0)
    if width and values:
        raise PlanError(
            f"strategy {text!r} of a workload: tensor={width} leaves the grid open; "
            f"leave it out, or {' and '.join(values)}"
        )
    if width:
        found = grids(width, pipeline)
    else:
        for name, other in (_SIDES, _SIDES[::-1]):
            left = chips // (values.get(other, 1) * pipeline)
            values.setdefault(name, max(1, left))
        found = [Grid(**values, pipeline=pipeline)]
    needed = found[0].chips
    if needed > chips:
        sides = " x ".join(
            str(n)
            for n in (found[0].column, found[0].row, pipeline)[: 2 + (pipeline > 1)]
        )
        raise PlanError(
            f"{found[0]} takes {sides} = {needed} chips but {chips} are there; use "
            f"--chips {needed}"
        )
    return found


def grids(chips: int, pipeline: int = 1) -> list[Grid]:
    """Return every grid of `chips` for parallelism, from one row to one column."""
    return [
        Grid(column=chips // row, row=row, pipeline=pipeline)
        for row in range(1, chips + 1)
        if chips % row == 0
    ]
