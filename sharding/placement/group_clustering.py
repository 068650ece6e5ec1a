"""Groups of chips that lie close together, by swaps from several first guesses.

The way between two chips of a group weighs four times as much for every further hop:
an exchange lasts as long as its longest message, so that one long way is worse than a
few ways that are a hop longer.
"""

import numpy as np
from numpy.typing import NDArray

from specs.arrays import Ints

# Four to the power of this is far beyond any group; more would leave whole floats.
_MOST_WEIGHED_HOPS = 12
# Rounds of swaps; tori of 576 chips need some twenty.
_MOST_ROUNDS = 60
# Chips that no group takes.
POOL = -1


def weights_of(hops: NDArray[np.integer]) -> NDArray[np.float64]:
    """Return how much ways of so many hops weigh, whole numbers, 0 for none."""
    nearer = np.minimum(hops.astype(np.int64), _MOST_WEIGHED_HOPS) - 1
    return np.where(hops > 0, np.exp2(2 * nearer), 0.0)


def compact_groups(
    weight: NDArray[np.float64],
    units: tuple[NDArray[np.integer], ...],
    *,
    tensor: int,
    pipeline: int,
) -> Ints:
    """Return groups of places between which the ways weigh little.

    Groups are sought by swapping two places of different groups as long as that saves
    anything, from three beginnings: consecutive places, whole groups within each node
    or rack, and halves of halves of the network. The first of the best is returned.

    Parameters
    ----------
    weight
        Of the way between each two places, symmetric, shape ``(places, places)``.
    units
        Numbers of what each place is in, such as its node; each of shape
        ``(places,)``.
    tensor
        Places in a group.
    pipeline
        Groups; ``tensor * pipeline`` places are taken at most.

    Returns
    -------
    NDArray
        Places of each group, ascending, shape ``(pipeline, tensor)``.

    Examples
    --------
    >>> ring = np.array([[0, 2, 1, 1], [2, 0, 1, 1], [1, 1, 0, 2], [1, 1, 2, 0]])
    >>> compact_groups(weights_of(ring), (), tensor=2, pipeline=2).tolist()
    [[1, 2], [0, 3]]
    """
    taken = tensor * pipeline
    naive = np.arange(taken, dtype=np.int64).reshape(pipeline, tensor)
    if tensor in (1, len(weight)):
        return naive
    least_of_all = taken * (tensor - 1) * weight[weight > 0].min(initial=np.inf)
    beginnings = [naive]
    beginnings += [_within_units(unit, tensor, pipeline) for unit in units]
    beginnings.append(np.concatenate(_halved(weight, naive.ravel(), tensor)))
    best, least = naive, np.inf
    for beginning in {guess.tobytes(): guess for guess in beginnings}.values():
        label = np.full(len(weight), POOL, dtype=np.int64)
        label[beginning.ravel()] = np.repeat(np.arange(pipeline), tensor)
        label = swapped(weight, label)
        cost = _total(weight, label)
        if cost < least:
            order = np.argsort(label, kind="stable")[len(weight) - taken :]
            best, least = order.reshape(pipeline, tensor), cost
        if least <= least_of_all:
            break
    return best


def swapped(weight: NDArray[np.float64], label: Ints) -> Ints:
    """Return the groups that swaps lead to, each of which makes the weight less.

    In a round every pair of groups swaps the two places that save most, those that
    save more first, no group twice: so what each saves does not depend on the others.

    Parameters
    ----------
    weight
        Of the way between each two places, symmetric, shape ``(places, places)``.
    label
        Group of each place, ``POOL`` if none, shape ``(places,)``.
    """
    label = label.copy()
    places = np.arange(len(label))
    groups = int(label.max()) + 1
    # What each place would weigh in each group; in the pool, the last column, nothing.
    member = np.zeros((len(label), groups + 1))
    member[places, label] = 1
    member[:, POOL] = 0
    there = weight @ member
    for _ in range(_MOST_ROUNDS):
        after = there[:, label]
        now = after[places, places]
        # Two places that swap do not meet in either group.
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
            there[:, label[place]] += change
            there[:, label[other]] -= change
            there[:, POOL] = 0
            label[place], label[other] = label[other], label[place]
        if not touched:
            break
    return label


def _total(weight: NDArray[np.float64], label: Ints) -> float:
    same = (label[:, None] == label) & (label != POOL)
    return float(weight[same].sum())


def _within_units(unit: NDArray[np.integer], tensor: int, pipeline: int) -> Ints:
    """Return groups of which as many as can be lie within one unit each."""
    sizes = np.bincount(unit)
    first = np.cumsum(sizes) - sizes
    by_unit = np.argsort(unit, kind="stable")
    place = np.arange(len(unit)) - np.repeat(first, sizes)
    left = place >= np.repeat(sizes - sizes % tensor, sizes)
    # What is left over in its unit comes last.
    order = np.concatenate([by_unit[~left], by_unit[left]])
    return order[: tensor * pipeline].reshape(pipeline, tensor)


def _halved(weight: NDArray[np.float64], places: Ints, tensor: int) -> list[Ints]:
    """Return groups by cutting places in two between two that are far apart."""
    groups = len(places) // tensor
    if groups == 1:
        return [places[None, :]]
    one = places[weight[places[0], places].argmax()]
    other = places[weight[one, places].argmax()]
    nearer = weight[one, places] - weight[other, places]
    order = places[np.lexsort((places, nearer))]
    cut = groups // 2 * tensor
    return _halved(weight, order[:cut], tensor) + _halved(weight, order[cut:], tensor)
