import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fabric.results.deskew_log import DeskewLog

CHIPS = 5
# Of each period: chip, start and removed cycles of each deskew; -1 for none of a chip.
PERIODS = st.lists(
    st.lists(
        st.tuples(
            st.integers(0, CHIPS - 1), st.integers(0, 10**12), st.integers(-99, 99)
        ),
        max_size=6,
        unique_by=lambda row: row[:2],
    ),
    max_size=6,
)
Period = list[tuple[int, int, int]]


def whole(periods: list[Period], in_period: int) -> DeskewLog:
    log = DeskewLog(CHIPS, in_period)
    for number, rows in enumerate(periods):
        if rows:
            log.add_period(number, np.array(rows, dtype=np.int64))
    return log


@given(PERIODS, st.data())
def test_one_by_one_or_by_the_period_in_any_order_is_the_same(
    periods: list[Period], data: st.DataObject
) -> None:
    most = max(map(len, periods), default=0)
    # Where a chip has stopped, periods have fewer deskews.
    single = DeskewLog(CHIPS, most)
    rows = [(k, *row) for k, period in enumerate(periods) for row in period]
    # Chips come in any order, and each goes through its own in order of time.
    rank = data.draw(st.permutations(range(CHIPS)))
    for row in sorted(rows, key=lambda row: (rank[row[1]], row[0], row[2])):
        single.add(*row)
    shuffled = [
        sorted(period, key=lambda row: (rank[row[0]], row[1])) for period in periods
    ]
    at_once = whole(shuffled, most)
    in_order = whole([sorted(period) for period in periods], most)
    assert single.digest() == at_once.digest() == in_order.digest()
    assert single.count.tolist() == at_once.count.tolist()
    assert single.most_removed.tolist() == at_once.most_removed.tolist()
    assert single.total == at_once.total == len(rows)


@given(PERIODS)
def test_sums_are_those_of_the_rows(periods: list[Period]) -> None:
    log = whole(periods, 6)
    rows = [row for period in periods for row in period]
    for chip in range(CHIPS):
        removed = [abs(row[2]) for row in rows if row[0] == chip]
        assert log.count[chip] == len(removed)
        assert log.most_removed[chip] == max(removed, default=0)


@given(PERIODS.filter(any), st.data())
def test_another_number_is_another_digest(
    periods: list[Period], data: st.DataObject
) -> None:
    at = data.draw(st.sampled_from([k for k, rows in enumerate(periods) if rows]))
    chip, start, removed = periods[at][0]
    changed = [list(rows) for rows in periods]
    changed[at][0] = (chip, start, removed + 1)
    assert whole(periods, 6).digest() != whole(changed, 6).digest()


def test_a_digest_may_be_asked_for_twice() -> None:
    log = DeskewLog(CHIPS, 3)
    log.add(4, 1, 10, 2)
    assert log.digest() == log.digest()
