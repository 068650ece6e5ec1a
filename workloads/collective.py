"""Collective as a workload of its own: what its members start and end with.

A column of its tensor is a byte. Where members add theirs, or each has another one, a
part is what a member contributes, numbered as the members are.
"""

from enum import StrEnum
from typing import NamedTuple

from specs.arrays import Ints

# Values of a collective's dataflow: the tensor that members start with, which travels,
# and the sum of all members' tensors.
TENSOR, SUM = "tensor", "sum"


class Collective(StrEnum):
    """Collective operation; the values are the keys of the command line."""

    ALL_REDUCE = "all-reduce"
    REDUCE_SCATTER = "reduce-scatter"
    ALL_GATHER = "all-gather"
    BROADCAST = "broadcast"
    ALL_TO_ALL = "all-to-all"
    POINT_TO_POINT = "point-to-point"

    @property
    def adds(self) -> bool:
        """Return whether the members' tensors are added."""
        return self in (Collective.ALL_REDUCE, Collective.REDUCE_SCATTER)


class CollectivePlan(NamedTuple):
    """Plan of a collective alone: what a program of it must compute.

    Attributes
    ----------
    kind
        Collective.
    members
        Chips in order, shape ``(members,)``. The first is the root of a broadcast; a
        point-to-point message goes from the first to the second.
    payload_bytes
        Bytes of the tensor. Slice `k` of a reduce-scatter or all-gather begins at byte
        ``k * payload_bytes // members``. Those of an all-to-all are equal: each is
        padded to whole vectors.
    """

    kind: Collective
    members: Ints
    payload_bytes: int
