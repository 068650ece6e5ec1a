"""Coverage of a plan: every weight is on exactly one chip of each replica."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from specs.errors import PlanError

if TYPE_CHECKING:
    import pandas as pd

RECTANGLE = ["row_start", "row_end", "column_start", "column_end"]


def check_coverage(slices: "pd.DataFrame") -> int:
    """Check that a plan covers each element exactly once, and return their number.

    Each replica has every tensor; its elements count once for each replica.

    Parameters
    ----------
    slices
        The table of a plan: one row for each slice, with the whole tensor's shape in
        ``tensor_rows`` and ``tensor_columns``, and the number of its ``replica``.

    Raises
    ------
    PlanError
        If an element of a tensor is on no chip or on two, or a slice lies outside it:
        the message names the tensor, the rows and the columns.
    """
    covered = 0
    # Mixtures have tens of thousands of tensors: each is a range of sorted rows.
    grouped = slices.groupby(["replica", "tensor"], sort=True)
    number = grouped.ngroup().to_numpy()
    order = np.argsort(number, kind="stable")
    starts = np.flatnonzero(np.diff(number[order], prepend=-1))
    sizes = slices[["tensor_rows", "tensor_columns"]].to_numpy(dtype=np.int64)
    rectangles = slices[RECTANGLE].to_numpy(dtype=np.int64)
    names = slices[["replica", "tensor"]].iloc[order[starts]]
    for part, (replica, tensor) in zip(
        np.split(order, starts[1:]), names.itertuples(index=False), strict=True
    ):
        where = f"{tensor} in replica {replica}" if replica != 0 else tensor
        rows, columns = sizes[part[0]].tolist()
        edges = rectangles[part]
        if (edges < 0).any() or (edges > [rows, rows, columns, columns]).any():
            raise PlanError(f"{where}: a slice lies outside its {rows} x {columns}")
        rectangle = miscounted_rectangle(edges, rows, columns)
        if rectangle is not None:
            low, high, left, right, count = rectangle
            raise PlanError(
                f"{where}: rows {low}..{high - 1}, columns {left}..{right - 1} are on "
                f"{count} chips, expected exactly one"
            )
        covered += rows * columns
    return covered


def miscounted_rectangle(
    edges: NDArray[np.int64], rows: int, columns: int
) -> tuple[int, int, int, int, int] | None:
    """Return a rectangle of a tensor that a plan does not slice exactly once, or None.

    Parameters
    ----------
    edges
        Slices within the tensor, of shape ``(slices, 4)``, as `RECTANGLE` names them.
    rows, columns
        Shape of the tensor.

    Returns
    -------
    tuple
        Edges of the rectangle, and the number of slices that hold it.
    """
    row_cuts = np.unique([0, rows, *edges[:, 0], *edges[:, 1]])
    column_cuts = np.unique([0, columns, *edges[:, 2], *edges[:, 3]])
    # Inclusion counts on the grid of all cuts, by a two-dimensional prefix sum.
    counts = np.zeros((len(row_cuts), len(column_cuts)), dtype=np.int64)
    low_row, high_row = (np.searchsorted(row_cuts, edges[:, i]) for i in (0, 1))
    low_col, high_col = (np.searchsorted(column_cuts, edges[:, i]) for i in (2, 3))
    np.add.at(counts, (low_row, low_col), 1)
    np.add.at(counts, (high_row, high_col), 1)
    np.add.at(counts, (low_row, high_col), -1)
    np.add.at(counts, (high_row, low_col), -1)
    counts = counts.cumsum(axis=0).cumsum(axis=1)[:-1, :-1]
    if (counts == 1).all():
        return None
    row, column = (int(index[0]) for index in np.nonzero(counts != 1))
    return (
        int(row_cuts[row]),
        int(row_cuts[row + 1]),
        int(column_cuts[column]),
        int(column_cuts[column + 1]),
        int(counts[row, column]),
    )
