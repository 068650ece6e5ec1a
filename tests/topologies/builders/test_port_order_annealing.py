import numpy as np
import pytest
from numpy.typing import NDArray

from topologies.builders.dragonfly import dragonfly_topology
from topologies.builders.port_order import ANNEALED_ORDER, costas_order
from topologies.builders.port_order_annealing import annealed_order, main, total_hops
from topologies.metrics.summary import hop_histogram
from topologies.topology import Level


@pytest.fixture(scope="module")
def neighbours() -> NDArray[np.int64]:
    topology = dragonfly_topology(145, "annealed")
    inside = topology.level != Level.GLOBAL
    table = np.zeros((topology.chips, 11), np.int64)
    by_source = np.argsort(topology.source[inside], kind="stable")
    table[:, :9] = topology.target[inside][by_source].reshape(-1, 9)
    return table


def test_the_search_counts_the_hops_that_the_machine_has(
    neighbours: NDArray[np.int64],
) -> None:
    histogram = hop_histogram(dragonfly_topology(145, "annealed"), range(72))
    hops = int(histogram @ np.arange(len(histogram)))
    assert total_hops(np.array(ANNEALED_ORDER), neighbours) == hops
    # A linear order has 7 hops at most, which the search never takes for better.
    assert total_hops(np.arange(144), neighbours) > 1_000_000 + hops


def test_a_few_steps_reach_a_better_order_and_always_the_same(
    neighbours: NDArray[np.int64],
) -> None:
    order = annealed_order(steps=8, seed=6)
    assert sorted(order.tolist()) == list(range(144))
    assert total_hops(order, neighbours) < total_hops(costas_order(), neighbours)
    assert annealed_order(steps=8, seed=6).tolist() == order.tolist()


def test_the_command_prints_the_order_of_its_steps_and_seed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    main(["--steps", "0"])
    assert capsys.readouterr().out == ", ".join(map(str, costas_order())) + "\n"
    main(["--steps", "8", "--seed", "6"])
    printed = [int(port) for port in capsys.readouterr().out.split(", ")]
    assert (
        printed == annealed_order(steps=8, seed=6).tolist() != costas_order().tolist()
    )
