from hypothesis import given
from hypothesis import strategies as st

from compiler.routing.reservation_table import ReservationTable

wishes = st.lists(st.tuples(st.integers(0, 60), st.integers(1, 9)), max_size=25)


@given(wishes=wishes)
def test_no_two_reservations_share_a_cycle(wishes: list[tuple[int, int]]) -> None:
    table = ReservationTable()
    taken: set[int] = set()
    for ready, duration in wishes:
        start = table.reserve(ready, duration)
        cycles = set(range(start, start + duration))
        assert not cycles & taken
        taken |= cycles


@given(wishes=wishes)
def test_a_reservation_is_the_first_that_is_free_and_not_before_it_is_ready(
    wishes: list[tuple[int, int]],
) -> None:
    table = ReservationTable()
    taken: set[int] = set()
    for ready, duration in wishes:
        start = table.reserve(ready, duration)
        first_free = ready
        while taken & set(range(first_free, first_free + duration)):
            first_free += 1
        assert start == first_free
        taken |= set(range(start, start + duration))


def test_a_short_train_fits_between_two_long_ones() -> None:
    table = ReservationTable()
    starts = [table.reserve(ready, 10) for ready in (0, 20)]
    assert [*starts, table.reserve(0, 10)] == [0, 20, 10]
