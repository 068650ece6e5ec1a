import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sharding.placement.stage_order import nearest_order, order_cost


@given(seed=st.integers(0, 1000), groups=st.integers(1, 12))
def test_an_order_names_each_group_once_and_costs_no_more_than_the_given_one(
    seed: int, groups: int
) -> None:
    drawn = np.random.default_rng(seed).integers(1, 100, (groups, groups))
    distance = np.triu(drawn, 1) + np.triu(drawn, 1).T
    order = nearest_order(distance, drawn)
    assert sorted(order.tolist()) == list(range(groups))
    given_order = np.arange(groups)
    assert order_cost(order, distance, drawn) <= order_cost(
        given_order, distance, drawn
    )
    assert nearest_order(distance, drawn).tolist() == order.tolist()


@given(seed=st.integers(0, 1000), groups=st.integers(3, 30))
def test_a_shuffled_ring_is_put_in_order(seed: int, groups: int) -> None:
    place = np.random.default_rng(seed).permutation(groups)
    step = np.abs(place[:, None] - place)
    ring = np.minimum(step, groups - step)
    order = nearest_order(ring, ring)
    assert order_cost(order, ring, ring) == groups


def test_an_order_begins_where_the_token_return_is_short() -> None:
    distance = 10 * (1 - np.eye(4, dtype=np.int64))
    token_return = distance.copy()
    token_return[1, 2] = 1
    order = nearest_order(distance, token_return)
    assert (order[-1], order[0]) == (1, 2)
