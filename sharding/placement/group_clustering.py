"""Clustering of chips into compact groups, by swaps from several initial groupings.

The weight of a pair of chips grows fourfold with every further hop: an exchange lasts
as long as its longest message, so that one long path is worse than a few paths that are
one hop longer.
"""

import numpy as np
from numpy.typing import NDArray

from specs.arrays import Ints

# Longer paths weigh no more: sums of larger weights would not be exact floats.
_MOST_WEIGHED_HOPS = 12
# Rounds of swaps. Tori of 576 chips need about twenty.
_MOST_ROUNDS = 60
# Group number of chips that no group takes.
POOL = -1


def hop_weights(hops: NDArray[np.integer]) -> NDArray[np.float64]:
    """Return a placement's weights of paths by hops: whole numbers, 0 for no hop."""
    nearer = np.minimum(hops.astype(np.int64), _MOST_WEIGHED_HOPS) - 1
    return np.where(hops > 0, np.exp2(2 * nearer), 0.0)


def compact_groups(
    weight: NDArray[np.float64],
    units: tuple[NDArray[np.integer], ...],
    *,
    tensor: int,
    pipeline: int,
) -> Ints:
    """Return a placement in groups whose pairs of places have a small total weight.

    The search swaps two places of different groups as long as that reduces the weight.
    It starts from consecutive places, from whole groups within each node or rack, and
    from recursive bisection of the network, and returns the first of the best results.

    Parameters
    ----------
    weight
        Weight of each pair of places, symmetric, shape ``(places, places)``.
    units
        Unit numbers of each place, such as its node, each of shape ``(places,)``.
    tensor
        Places in a group.
    pipeline
        Groups. There are at least ``tensor * pipeline`` places.

    Returns
    -------
    NDArray
        Places of each group in ascending order, shape ``(pipeline, tensor)``.

    Examples
    --------
    >>> ring = np.array([[0, 2, 1, 1], [2, 0, 1, 1], [1, 1, 0, 2], [1, 1, 2, 0]])
    >>> compact_groups(hop_weights(ring), (), tensor=2, pipeline=2).tolist()
    [[1, 2], [0, 3]]
    """
    taken = tensor * pipeline
    consecutive = np.arange(taken, dtype=np.int64).reshape(pipeline, tensor)
    if tensor in (1, len(weight)):
        return consecutive
    lower_bound = taken * (tensor - 1) * weight[weight > 0].min(initial=np.inf)
    initial_groupings = [consecutive]
    initial_groupings += [_within_units(unit, tensor, pipeline) for unit in units]
    initial_groupings.append(
        np.concatenate(_bisected(weight, consecutive.ravel(), tensor))
    )
    best, least = consecutive, np.inf
    for grouping in {guess.tobytes(): guess for guess in initial_groupings}.values():
        label = np.full(len(weight), POOL, dtype=np.int64)
        label[grouping.ravel()] = np.repeat(np.arange(pipeline), tensor)
        label = improved_by_swaps(weight, label)
        cost = _total(weight, label)
        if cost < least:
            order = np.argsort(label, kind="stable")[len(weight) - taken :]
            best, least = order.reshape(pipeline, tensor), cost
        if least <= lower_bound:
            break
    return best


def improved_by_swaps(weight: NDArray[np.float64], label: Ints) -> Ints:
    """Return a placement's groups after swaps that each reduce the total weight.

    In each round, groups swap the places that save most, the largest savings first, and
    no group swaps twice: so the saving of a swap does not depend on the others.

    Parameters
    ----------
    weight
        Weight of each pair of places, symmetric, shape ``(places, places)``.
    label
        Group of each place, ``POOL`` if none, shape ``(places,)``.
    """
    label = label.copy()
    places = np.arange(len(label))
    groups = int(label.max()) + 1
    # Weight of each place to the members of each group; 0 in the last column, the pool.
    member = np.zeros((len(label), groups + 1))
    member[places, label] = 1
    member[:, POOL] = 0
    group_weight = weight @ member
    for _ in range(_MOST_ROUNDS):
        after = group_weight[:, label]
        now = after[places, places]
        # Two places that swap are not in one group afterwards.
        both = (label[:, None] != POOL).astype(float) + (label != POOL)
        saved = now[:, None] + now - after - after.T + weight * both
        saved[label[:, None] == label] = 0
        partner = saved.argmax(axis=1)
        most = saved[places, partner]
        touched: set[int] = set()
        for place in np.argsort(-most, kind="stable")[: int((most > 0).sum())].tolist():
            other = int(partner[place])
            pair = {int(label[place]), int(label[other])} - {POOL}
            if pair & touched:
                continue
            touched |= pair
            change = weight[:, other] - weight[:, place]
            group_weight[:, label[place]] += change
            group_weight[:, label[other]] -= change
            group_weight[:, POOL] = 0
            label[place], label[other] = label[other], label[place]
        if not touched:
            break
    return label


def _total(weight: NDArray[np.float64], label: Ints) -> float:
    """Return the total weight of the pairs within groups, each pair counted twice."""
    same = (label[:, None] == label) & (label != POOL)
    return float(weight[same].sum())


def _within_units(unit: NDArray[np.integer], tensor: int, pipeline: int) -> Ints:
    """Return groups of which as many as possible are within one unit each."""
    sizes = np.bincount(unit)
    first = np.cumsum(sizes) - sizes
    by_unit = np.argsort(unit, kind="stable")
    place = np.arange(len(unit)) - np.repeat(first, sizes)
    remaining = place >= np.repeat(sizes - sizes % tensor, sizes)
    # The remaining places of each unit come last.
    order = np.concatenate([by_unit[~remaining], by_unit[remaining]])
    return order[: tensor * pipeline].reshape(pipeline, tensor)


def _bisected(weight: NDArray[np.float64], places: Ints, tensor: int) -> list[Ints]:
    """Return groups by recursive bisection between two places that are far apart."""
    groups = len(places) // tensor
    if groups == 1:
        return [places[None, :]]
    one = places[weight[places[0], places].argmax()]
    other = places[weight[one, places].argmax()]
    nearer = weight[one, places] - weight[other, places]
    order = places[np.lexsort((places, nearer))]
    cut = groups // 2 * tensor
    return _bisected(weight, order[:cut], tensor) + _bisected(
        weight, order[cut:], tensor
    )
