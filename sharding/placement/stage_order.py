"""The order of groups along which a token hops least, and comes back soonest."""

import numpy as np

from specs.arrays import Ints

# Pairs of stages looked at: bounds the reversals of long pipelines to half a second.
_MOST_LOOKED_AT = 20_000_000


def nearest_order(apart: Ints, back: Ints) -> Ints:
    """Return an order of groups in which the ways from each to the next are short.

    From the order that they have, and from one that goes on to the nearest each time,
    the order is reversed between two groups as long as that makes the whole round
    shorter. It begins where the way back saves most.

    Parameters
    ----------
    apart
        What the way from one group to the next costs, symmetric, shape
        ``(groups, groups)``.
    back
        What the way from a last group back to a first one costs, same shape.

    Examples
    --------
    >>> ring = np.array([[0, 2, 1, 1], [2, 0, 1, 1], [1, 1, 0, 2], [1, 1, 2, 0]])
    >>> nearest_order(ring, ring).tolist()
    [0, 2, 1, 3]
    """
    given = np.arange(len(apart))
    if len(given) == 1:
        return given
    found = [given, _begun_best(given, apart, back)]
    for beginning in (given, _nearest_next(apart)):
        order = _reversed(beginning, apart)
        found += [_begun_best(way, apart, back) for way in (order, order[::-1])]
    return min(found, key=lambda order: order_cost(order, apart, back))


def order_cost(order: Ints, apart: Ints, back: Ints) -> int:
    """Return what the ways along an order and back to its beginning cost."""
    along = apart[order[:-1], order[1:]].sum()
    return int(along + back[order[-1], order[0]])


def _begun_best(order: Ints, apart: Ints, back: Ints) -> Ints:
    """Return the round begun where the way back costs least more than going on."""
    before = np.roll(order, 1)
    begin = int((back[before, order] - apart[before, order]).argmin())
    return np.roll(order, -begin)


def _nearest_next(apart: Ints) -> Ints:
    """Return the order that always goes on to the nearest group left."""
    left = np.ones(len(apart), dtype=bool)
    order = [0]
    for _ in range(len(apart) - 1):
        left[order[-1]] = False
        rest = np.flatnonzero(left)
        order.append(int(rest[apart[order[-1], rest].argmin()]))
    return np.array(order)


def _reversed(order: Ints, apart: Ints) -> Ints:
    """Return the round after all reversals of a part of it that make it shorter."""
    order = order.copy()
    places = np.arange(len(order))
    for _ in range(_MOST_LOOKED_AT // len(order) ** 2):
        following = np.roll(order, -1)
        step = apart[order, following]
        change = (apart[np.ix_(order, order)] + apart[np.ix_(following, following)]) - (
            step[:, None] + step
        )
        change[places[:, None] >= places] = 0
        first, last = divmod(int(change.argmin()), len(order))
        if change[first, last] >= 0:
            break
        order[first + 1 : last + 1] = order[first + 1 : last + 1][::-1]
    return order
