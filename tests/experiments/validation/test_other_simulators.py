import networkx as nx
import pytest

from experiments.validation.other_simulators import (
    astra_all_reduce_cycles,
    booksim_cycles,
    booksim_law,
    booksim_mean_cycles,
)
from topologies.io.networkx_graph import from_networkx


def test_astra_sims_all_reduce_is_reproduced_within_two_percent() -> None:
    # Recorded: 615 ns = 2 x (230 ns + 1 024 B / 13.42 B per ns) + 3.
    assert astra_all_reduce_cycles() == pytest.approx(615, rel=0.02)


@pytest.mark.parametrize("links", [1, 2, 3, 7])
def test_booksims_law_is_reproduced_over_any_number_of_links(links: int) -> None:
    path = from_networkx(nx.path_graph(links + 1), name="path")
    assert booksim_cycles(path, 0, links) == booksim_law(links)


def test_booksims_mean_is_that_of_its_law() -> None:
    # Recorded: 6 at least, 29 at most, 26.26 on average; the law says 26.125.
    assert (booksim_law(0), booksim_law(1)) == (6, 29)
    assert booksim_mean_cycles() == 26.125
    assert booksim_mean_cycles() == pytest.approx(26.26, rel=0.01)
