"""Order of the two blocks of a layer: one behind the other, or side by side."""

from enum import StrEnum
from typing import final


@final
class BlockOrder(StrEnum):
    """The input of the feed-forward of a layer, against that of its attention.

    SEQUENTIAL
        It is what attention made of the residual stream.
    PARALLEL
        It is that of attention, by a norm of its own; both results are added to it.
    ONE_NORM
        The same, by the norm of attention.
    """

    SEQUENTIAL = "sequential"
    PARALLEL = "parallel"
    ONE_NORM = "one_norm"

    @property
    def is_parallel(self) -> bool:
        """Return whether both blocks take the same input."""
        return self is not BlockOrder.SEQUENTIAL

    @property
    def shares_norm(self) -> bool:
        """Return whether they take it by the same norm."""
        return self is BlockOrder.ONE_NORM
