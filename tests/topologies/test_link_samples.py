import numpy as np
import pytest

from topologies.link_samples import measured_row
from topologies.selection import select_topology


@pytest.mark.parametrize("chips", [8, 72, 576])
def test_the_cables_of_chip_0_in_its_node_are_the_rows_in_order(chips: int) -> None:
    topology = select_topology(chips)
    rows = measured_row(topology, 7)
    assert rows[list(topology.out_links(0)[:7])].tolist() == list(range(7))


@pytest.mark.parametrize("rows", [1, 3, 7, 20])
def test_both_directions_of_a_cable_share_a_row(rows: int) -> None:
    row = measured_row(select_topology(72), rows)
    assert (row[::2] == row[1::2]).all()
    assert np.unique(row).tolist() == list(range(min(rows, 11)))
