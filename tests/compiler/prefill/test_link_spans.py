from hypothesis import given
from hypothesis import strategies as st

from compiler.prefill.link_spans import LinkSpans, LinkUse


def test_a_transfer_starts_when_all_its_links_are_free() -> None:
    spans = LinkSpans()
    spans.take([LinkUse(0, 0, 10), LinkUse(1, 20, 30)], 100)
    assert spans.first_free([LinkUse(0, 0, 5)], 0) == 0
    assert spans.first_free([LinkUse(0, 0, 5)], 98) == 110
    # Link 1 is taken from 120 to 130, and is needed 5 cycles after the start.
    assert spans.first_free([LinkUse(0, 0, 5), LinkUse(1, 5, 8)], 113) == 125


def test_what_is_given_back_is_free_again() -> None:
    spans = LinkSpans()
    use = [LinkUse(0, 0, 10)]
    spans.take(use, 5)
    assert spans.first_free(use, 0) == 15
    spans.release(use, 5)
    assert spans.first_free(use, 0) == 0


@given(
    uses=st.lists(
        st.tuples(st.integers(0, 60), st.integers(1, 9)), min_size=1, max_size=12
    )
)
def test_no_cycle_of_a_link_is_taken_twice_and_none_is_left_in_front(
    uses: list[tuple[int, int]],
) -> None:
    spans, taken = LinkSpans(), set[int]()
    for ready, length in uses:
        use = [LinkUse(0, 0, length)]
        at = spans.first_free(use, ready)
        spans.take(use, at)
        own = set(range(at, at + length))
        assert not own & taken
        for earlier in range(ready, at):
            assert set(range(earlier, earlier + length)) & taken
        taken |= own
