import numpy as np

from fabric.faults.link_errors import Corrected
from fabric.links.slack import UNLIMITED_PS
from fabric.results.result import LinkTable
from fabric.runtime.segment import Segment
from fabric.statistics.link_totals import LinkTotals
from specs.arrays import Ints

NONE = np.zeros(0, dtype=np.int64)
CLEAN = Corrected(NONE, NONE)


def opened(segment: Segment) -> tuple[LinkTotals, Ints]:
    """Return the totals of an open segment, and the links that it uses."""
    totals = LinkTotals(len(segment.topology.source))
    totals.open(segment)
    return totals, np.unique(segment.program.trains.link)


def least_of(table: LinkTable) -> list[int]:
    least: list[int] = table.least_slack_ps.tolist()
    return least


def test_each_iteration_carries_all_vectors_of_the_program(steady: Segment) -> None:
    totals, used = opened(steady)
    for least in (7, 5):
        totals.add(
            least_ps=np.full(len(used), least), corrected=CLEAN, damaged=(), lost=NONE
        )
    totals.close(iterations=2)
    trains, table = steady.program.trains, totals.table()
    once = np.bincount(trains.link, weights=trains.vectors)[used]
    assert table.link.tolist() == used.tolist()
    assert table.vectors.tolist() == (2 * once).tolist()
    assert least_of(table) == [5] * len(used)
    assert not (table.corrected + table.uncorrectable + table.lost).any()


def test_errors_and_losses_belong_to_the_link_of_their_train(steady: Segment) -> None:
    totals, used = opened(steady)
    totals.add(
        least_ps=np.full(len(used), 7),
        corrected=Corrected(np.array([1]), np.array([3])),
        damaged=(2,),
        lost=np.array([4]),
    )
    totals.close(iterations=1)
    trains, table = steady.program.trains, totals.table()
    once = np.bincount(trains.link, weights=trains.vectors)[used]
    once[used == trains.link[4]] -= trains.vectors[4]
    assert table.vectors.tolist() == once.tolist()
    for column, train, amount in (
        (table.corrected, 1, 3),
        (table.uncorrectable, 2, 1),
        (table.lost, 4, 1),
    ):
        expected = amount * (used == trains.link[train])
        assert column.tolist() == expected.tolist()


def test_the_least_slack_is_that_of_all_segments(steady: Segment) -> None:
    totals, used = opened(steady)
    for least in (4, UNLIMITED_PS):
        totals.open(steady)
        totals.add(
            least_ps=np.full(len(used), least), corrected=CLEAN, damaged=(), lost=NONE
        )
        totals.close(iterations=1)
    assert least_of(totals.table()) == [4] * len(used)
