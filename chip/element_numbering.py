"""Numbering of elements: how a dataflow counts the elements of a value of one row.

A region is a range of columns. Of a graph whose tensors are split in other ways than
by columns, a value is one row of all elements, counted so that what a chip makes is a
range: column after column where chips have columns, row after row where they have
matrices.
"""

from typing import NamedTuple

import numpy as np

from specs.arrays import Ints


class Numbering(NamedTuple):
    """Numbering of the elements of a matrix.

    The columns of the matrix are `blocks` blocks side by side, each of `units` columns.
    Elements are counted unit after unit, in each row after row, and of those block
    after block. So the elements of a unit are together, those of its blocks beside each
    other.

    Attributes
    ----------
    rows
        Rows of the matrix. With one row, elements are counted in their own order.
    units
        Columns of a block.
    blocks
        Blocks of columns.
    """

    rows: int
    units: int
    blocks: int = 1

    @property
    def elements(self) -> int:
        """Return the number of elements of the program's value."""
        return self.rows * self.units * self.blocks

    def places(self, first: int, last: int) -> Ints:
        """Return where a program's elements are in the matrix, row after row.

        Parameters
        ----------
        first, last
            Range of the elements, end exclusive.
        """
        number = np.arange(first, last, dtype=np.int64)
        rest, block = np.divmod(number, self.blocks)
        unit, row = np.divmod(rest, self.rows)
        return (row * self.blocks + block) * self.units + unit


def in_order(elements: int) -> Numbering:
    """Return the numbering of a program's value in its own order, row after row."""
    return Numbering(rows=1, units=elements)
