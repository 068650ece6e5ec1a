"""Order of stages: a short tour of the groups and back, by 2-opt reversals."""

import numpy as np

from specs.arrays import Ints

# Most pairs of stages that are evaluated; bounds long pipelines to half a second.
_MOST_EVALUATED = 20_000_000


def nearest_order(distance: Ints, token_return: Ints) -> Ints:
    """Return a placement order of groups with short paths between successive groups.

    The search starts from the given order and from a nearest-neighbour tour. It
    reverses a part of the tour as long as that makes the tour shorter, and starts the
    tour where the token return saves most.

    Parameters
    ----------
    distance
        Cost between one group and the next, symmetric, shape ``(groups, groups)``.
    token_return
        Cost from a last group back to a first one, same shape.

    Examples
    --------
    >>> ring = np.array([[0, 2, 1, 1], [2, 0, 1, 1], [1, 1, 0, 2], [1, 1, 2, 0]])
    >>> nearest_order(ring, ring).tolist()
    [0, 2, 1, 3]
    """
    given = np.arange(len(distance))
    if len(given) == 1:
        return given
    candidates = [given, _best_start(given, distance, token_return)]
    for start in (given, _nearest_neighbour_tour(distance)):
        order = _improved_by_reversals(start, distance)
        candidates += [
            _best_start(tour, distance, token_return) for tour in (order, order[::-1])
        ]
    return min(candidates, key=lambda order: order_cost(order, distance, token_return))


def order_cost(order: Ints, distance: Ints, token_return: Ints) -> int:
    """Return the cost along a placement order and back from last group to first."""
    along = distance[order[:-1], order[1:]].sum()
    return int(along + token_return[order[-1], order[0]])


def _best_start(order: Ints, distance: Ints, token_return: Ints) -> Ints:
    """Return the tour with the start at which the token return adds least cost."""
    before = np.roll(order, 1)
    begin = int((token_return[before, order] - distance[before, order]).argmin())
    return np.roll(order, -begin)


def _nearest_neighbour_tour(distance: Ints) -> Ints:
    """Return the nearest-neighbour tour from group 0."""
    remaining = np.ones(len(distance), dtype=bool)
    order = [0]
    for _ in range(len(distance) - 1):
        remaining[order[-1]] = False
        rest = np.flatnonzero(remaining)
        order.append(int(rest[distance[order[-1], rest].argmin()]))
    return np.array(order)


def _improved_by_reversals(order: Ints, distance: Ints) -> Ints:
    """Return the tour after 2-opt reversals, the best one each time."""
    order = order.copy()
    places = np.arange(len(order))
    for _ in range(_MOST_EVALUATED // len(order) ** 2):
        following = np.roll(order, -1)
        step = distance[order, following]
        change = (
            distance[np.ix_(order, order)] + distance[np.ix_(following, following)]
        ) - (step[:, None] + step)
        change[places[:, None] >= places] = 0
        first, last = divmod(int(change.argmin()), len(order))
        if change[first, last] >= 0:
            break
        order[first + 1 : last + 1] = order[first + 1 : last + 1][::-1]
    return order
