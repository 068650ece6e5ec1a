"""Slice table: which chip holds which rows and columns of which weight tensor."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self, final

import numpy as np

from specs.arrays import Ints

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (
    *("chip", "replica", "stage", "layer", "tensor", "tensor_rows", "tensor_columns"),
    *("row_start", "row_end", "column_start", "column_end", "bytes"),
)
"""Columns of a table of slices, in order; ends are exclusive."""


@final
@dataclass(frozen=True, slots=True, eq=False)
class SliceTable:
    """Slices of a plan's weights as columns, one row for each slice on a chip.

    Parameters
    ----------
    names
        Names of the tensors, in the order of their first slices.
    columns
        Every one of `COLUMNS`, shape ``(slices,)``; ``tensor`` is a place in `names`.
    """

    names: tuple[str, ...]
    columns: dict[str, Ints]

    @classmethod
    def of_rows(cls, rows: Iterable[tuple[int | str, ...]]) -> Self:
        """Return the table of rows, each with the name of its tensor.

        Parameters
        ----------
        rows
            Values of `COLUMNS`.
        """
        number: dict[str, int] = {}
        place = COLUMNS.index("tensor")
        coded = [
            [
                *row[:place],
                number.setdefault(str(row[place]), len(number)),
                *row[place + 1 :],
            ]
            for row in rows
        ]
        table = np.array(coded, dtype=np.int64).reshape(-1, len(COLUMNS))
        return cls(tuple(number), dict(zip(COLUMNS, table.T, strict=True)))

    def frame(self) -> "pd.DataFrame":
        """Return the table for users, with the tensors' names."""
        # Loading it takes longer than a small plan.
        import pandas as pd  # noqa: PLC0415

        names = np.array(self.names, dtype=object)
        return pd.DataFrame(
            {
                name: names[column] if name == "tensor" else column
                for name, column in self.columns.items()
            }
        )
