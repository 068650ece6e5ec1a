"""Operands of a sharded operator: the region of each value on each chip of a group.

Names of values and operators are those of the graph (`workloads`), with ``{layer}`` for
the layer and ``{residual}`` for the residual stream before the block.
"""

from typing import NamedTuple

import numpy as np

from chip.dataflow import Function
from specs.arrays import Ints


class Operand(NamedTuple):
    """Regions of one value on the chips of a group.

    Attributes
    ----------
    value
        Name of the value.
    member
        Member of the group that has each region, shape ``(regions,)``; ascending.
    first, last, part_first, part_last
        The region, as in `chip.dataflow.Regions`, shape ``(regions,)``.
    array
        Number of the array that each region is in, shape ``(regions,)``; None if each
        is an array of its own.
    """

    value: str
    member: Ints
    first: Ints
    last: Ints
    part_first: Ints
    part_last: Ints
    array: Ints | None = None


class Operation(NamedTuple):
    """Operation of a group: one function of a graph's operator on each chip.

    Attributes
    ----------
    name
        Operator of the graph.
    function
        What it computes.
    reads, writes
        Regions that it reads and makes.
    """

    name: str
    function: Function
    reads: tuple[Operand, ...]
    writes: tuple[Operand, ...]


def operand(
    value: str,
    first: Ints | int,
    last: Ints,
    part_first: Ints | int = 0,
    part_last: Ints | int = 1,
) -> Operand:
    """Return an operand of a sharded operator: a region for each chip of a group.

    Chips whose region is empty have none.

    Parameters
    ----------
    value
        Name of the value.
    first, last, part_first, part_last
        The region of each chip, shape ``(width,)``, or the same number for all; `last`
        gives the width.
    """
    columns = np.broadcast_arrays(first, last, part_first, part_last)
    held = (columns[0] < columns[1]) & (columns[2] < columns[3])
    member = np.flatnonzero(held)
    return Operand(value, member, *(column[member] for column in columns))


def shards(
    value: str,
    first: Ints | int,
    last: Ints,
    part_first: Ints | int,
    part_last: Ints | int,
) -> Operand:
    """Return an operand of a sharded operator: each member's shard and own parts.

    Parameters are those of `operand`; no member is left out.
    """
    columns = np.broadcast_arrays(first, last, part_first, part_last)
    return Operand(value, np.arange(len(last)), *columns)
