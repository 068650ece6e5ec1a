"""Relative positions: which row of a table is added to the scores of a distance.

Near distances have a row each, and farther ones share rows whose number grows with the
logarithm of the distance [1]_.

References
----------
.. [1] C. Raffel et al., "Exploring the Limits of Transfer Learning with a Unified
   Text-to-Text Transformer", arXiv:1910.10683, section 2.1; the code published with it,
   mesh_tensorflow's ``_relative_position_bucket``.
"""

import math
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import NamedTuple

from specs.element_view import Loop, View
from workloads.encoder_decoders.stack_builder import Size, StackBuilder


class Run(NamedTuple):
    """Distances one after the other with the same row.

    Attributes
    ----------
    bucket
        Number of the row.
    distances
        Number of distances.
    """

    bucket: int
    distances: int


def bucket_of(
    distance: int, buckets: int, max_distance: int, *, both_sides: bool
) -> int:
    """Return the row of a workload's table of relative positions.

    Parameters
    ----------
    distance
        Position of the key less that of the query.
    buckets, max_distance
        Rows of the table, and the distance from which all have the last row.
    both_sides
        Whether positions behind the query have rows of their own, the second half.

    Examples
    --------
    >>> [bucket_of(-n, 8, 16, both_sides=False) for n in range(9)]
    [0, 1, 2, 3, 4, 4, 5, 5, 6]
    """
    first = 0
    if both_sides:
        buckets //= 2
        first = buckets * (distance > 0)
        away = abs(distance)
    else:
        away = max(0, -distance)
    exact = buckets // 2
    if away < exact:
        return first + away
    share = math.log(away / exact) / math.log(max_distance / exact)
    return first + min(buckets - 1, exact + int(share * (buckets - exact)))


def bucket_runs(
    distances: Iterable[int], buckets: int, max_distance: int, *, both_sides: bool
) -> list[Run]:
    """Return the rows of a workload's table for distances, as runs of the same one.

    Parameters are those of `bucket_of`.
    """
    rows = (
        bucket_of(distance, buckets, max_distance, both_sides=both_sides)
        for distance in distances
    )
    return [Run(bucket, len(list(same))) for bucket, same in groupby(rows)]


def bias_of_distances(
    builder: StackBuilder, name: str, distances: Sequence[int]
) -> str:
    """Add a workload's biases of scores by distance, a row of them for each head.

    Parameters
    ----------
    builder
        The stack.
    name
        Name of the result.
    distances
        Position of the key less that of the query, for each element of a row.
    """
    model, heads = builder.model, builder.heads
    table = builder.weights(f"{builder.names.relative}.weight", model.buckets, heads)
    runs = bucket_runs(
        distances,
        model.buckets,
        model.max_distance,
        both_sides=builder.stack == "encoder",
    )
    views = [
        View(
            loops=(Loop(size=heads, stride=1), Loop(size=run.distances, stride=0)),
            start=run.bucket * heads,
        )
        for run in runs
    ]
    size = Size(heads, 1, len(distances))
    return builder.rearrange(name, [table] * len(runs), views, size, turns=heads)
