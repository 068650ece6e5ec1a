import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from specs.errors import TopologyError
from topologies.builders.dragonfly import OUTWARD_PORTS_PER_RACK, dragonfly_topology
from topologies.builders.global_link_arrangement import even_arrangement
from topologies.builders.port_order import (
    ORDERS,
    PortOrder,
    check_order,
    costas_order,
    port_order,
)
from topologies.metrics.summary import describe, fingerprint

Ports = NDArray[np.int64]

racks = st.integers(2, 145)
names = st.sampled_from([*ORDERS, "random-1", "random-999999999"])


@given(racks, names)
def test_every_rack_uses_each_outward_port_once(racks: int, name: str) -> None:
    place = port_order(name, even_arrangement(racks, OUTWARD_PORTS_PER_RACK)).place
    assert place.shape == (racks, 144)
    assert (np.sort(place, axis=1) == np.arange(144)).all()


@given(racks, names)
def test_the_peer_of_the_peer_of_a_port_is_the_port_itself(
    racks: int, name: str
) -> None:
    arrangement = even_arrangement(racks, OUTWARD_PORTS_PER_RACK)
    place = port_order(name, arrangement).place
    counted = np.argsort(place, axis=1)  # the inverse: which port is counted as which
    rack = np.arange(racks)[:, np.newaxis]

    def peer(rack: Ports, port: Ports) -> tuple[Ports, Ports]:
        k = counted[rack, port]
        far = (rack + arrangement.offset[k]) % racks
        return far, place[far, arrangement.mate[k]]

    every = np.broadcast_to(rack, place.shape), np.tile(np.arange(144), (racks, 1))
    again = peer(*peer(*every))
    assert np.array_equal(again[0], every[0])
    assert np.array_equal(again[1], every[1])


def test_consecutive_ports_go_to_consecutive_racks() -> None:
    arrangement = even_arrangement(145, OUTWARD_PORTS_PER_RACK)
    place = port_order("consecutive", arrangement).place
    for rack in (0, 7, 144):
        far = (rack + arrangement.offset[np.argsort(place[rack])]) % 145
        assert far.tolist() == [other for other in range(145) if other != rack]


def test_a_seed_decides_a_random_order() -> None:
    def drawn(name: str) -> str:
        return fingerprint(dragonfly_topology(3, name))

    assert drawn("random") == drawn("random-0") != drawn("random-1")


def test_the_order_by_powers_puts_consecutive_ports_on_different_nodes() -> None:
    chips = costas_order() // 2
    for half in (chips[:72], chips[72:]):
        assert sorted(half.tolist()) == list(range(72))
        assert (np.diff(half // 8) != 0).all()


def test_only_orders_alike_in_every_rack_have_chips_that_stand_for_all() -> None:
    stand = {name: dragonfly_topology(2, name).representatives for name in ORDERS}
    assert {name for name, chips in stand.items() if chips is None} == {
        "consecutive",
        "random",
    }


@pytest.mark.parametrize(
    ("order", "diameter_hops", "mean_hops", "mean_gateway_hops"),
    [
        ("costas", 6, 4.8757, 3.6814),
        ("annealed", 6, 4.8286, 3.6728),
        ("palmtree", 7, 5.2239, 3.9166),
        ("consecutive", 7, 5.4104, 3.9795),
        ("random", 7, 4.8846, 3.6825),
    ],
)
def test_each_order_of_145_racks_has_its_distances(
    order: str, diameter_hops: int, mean_hops: float, mean_gateway_hops: float
) -> None:
    summary = describe(dragonfly_topology(145, order))
    assert summary.links == 57_420
    assert summary.diameter_hops == diameter_hops
    assert summary.mean_hops == pytest.approx(mean_hops, abs=5e-5)
    # The published "at most 5 hops" holds for each of them by this rule.
    assert summary.diameter_gateway_hops == 5
    assert summary.mean_gateway_hops == pytest.approx(mean_gateway_hops, abs=5e-5)


@pytest.mark.parametrize("racks", [1, 2])
@pytest.mark.parametrize("name", ["palmtre", "random-", "random-x", "costas-1", ""])
def test_an_order_that_does_not_exist_is_refused(racks: int, name: str) -> None:
    with pytest.raises(TopologyError, match=f"no order '{name}' of a dragonfly"):
        dragonfly_topology(racks, name)


@given(st.integers(2, 20), st.integers(0, 20))
def test_the_palmtree_order_is_the_order_of_the_ring(racks: int, more: int) -> None:
    arrangement = even_arrangement(racks, racks - 1 + more)
    order = port_order("palmtree", arrangement)
    assert isinstance(order, PortOrder)
    assert order.same_in_all_racks
    ports = len(arrangement.offset)
    assert order.place.tolist() == [list(range(ports))] * racks


@pytest.mark.parametrize("name", [*ORDERS, "random-0", "random-999999999"])
def test_every_order_and_seed_has_a_name(name: str) -> None:
    check_order(name)


@pytest.mark.parametrize("name", ["random-1234567890", "palmtree-3", "costa"])
def test_a_name_that_is_no_order_is_refused_with_the_way_out(name: str) -> None:
    with pytest.raises(TopologyError, match=r"random takes a seed of 9 digits at most"):
        check_order(name)
