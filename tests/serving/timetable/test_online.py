import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.frame import Policy
from serving.timetable.online import OnlineTimetable
from serving.timetable.ticket import Ticket
from specs.errors import SpecError
from tests.serving.round_times import round_frame, round_times

OWN_SLOT = {"windows": 0, "policy": Policy.SLOTS}


def online(**changes: object) -> OnlineTimetable:
    return OnlineTimetable(round_times(), round_frame(**changes))


def test_a_ticket_has_the_whole_future_of_a_request() -> None:
    timetable = online()
    ticket = timetable.admit(0, 10, 0, 3)
    # 10 ns and 40 bytes at 1 ns: frames begin at 50 ns, and the last window is at 100.
    assert ticket.admitted_ps == 50_000
    assert ticket.queue_ps == 0
    assert ticket.first_token_ps == 400_000 + 14_000
    # Slot 0 turns at 450 and 750; a token takes 150 cycles.
    assert timetable.token_ps(ticket, 1) == 600_000 + 14_000
    assert timetable.token_ps(ticket, 2) == ticket.end_ps == 900_000 + 14_000
    assert timetable.tokens_by(ticket, 613_999) == 1
    assert timetable.tokens_by(ticket, 614_000) == 2


def test_cached_positions_take_no_windows_but_the_last_position_does() -> None:
    whole, cached = (online().admit(0, 24, held, 1) for held in (0, 24))
    assert whole.placed.chosen_cycle - cached.placed.chosen_cycle == 250 + 50
    restored = online().admit(0, 24, 24, 1, restored_tokens=1)
    assert restored.admitted_ps >= 1_000_000


@given(
    st.sampled_from([{}, OWN_SLOT]),
    st.lists(
        st.tuples(st.integers(0, 900_000), st.integers(1, 40), st.integers(1, 12)),
        min_size=2,
        max_size=10,
    ),
    st.data(),
)
def test_a_vanished_client_lets_waiting_requests_move_up(
    frame: dict[str, object],
    asked: list[tuple[int, int, int]],
    data: st.DataObject,
) -> None:
    timetable, now = online(**frame), 0
    tickets: dict[int, Ticket] = {}
    for gap, prompt, output in asked:
        now += gap
        ticket = timetable.admit(now, prompt, 0, output)
        tickets[ticket.request] = ticket
    gone = data.draw(st.sampled_from(sorted(tickets)))
    at_ps = now + data.draw(st.integers(0, 2_000_000))
    moved = timetable.release(tickets[gone], at_ps)
    assert gone not in moved
    for number, ticket in moved.items():
        before = tickets[number]
        assert at_ps <= ticket.admitted_ps <= before.admitted_ps
        assert before.admitted_ps >= at_ps
    after = {**tickets, **moved}
    del after[gone]
    order = [after[number].admitted_ps for number in sorted(after)]
    assert order == sorted(order)
    for slot in range(2):
        uses = sorted(
            (each.placed.admitted_cycle, each.placed.free_cycle)
            for each in after.values()
            if each.slot == slot
        )
        for (_, end), (begin, _) in itertools.pairwise(uses):
            assert end <= begin
    assert timetable.release(tickets[gone], at_ps) == {}


def test_a_released_slot_is_free_when_its_turn_ends() -> None:
    timetable = online()
    first = timetable.admit(0, 1, 0, 50)
    timetable.admit(0, 1, 0, 50)
    waits = timetable.admit(0, 1, 0, 2)
    assert waits.placed.admitted_cycle > 10_000
    # The turn of slot 0 at 714 has begun, and ends at 814; the next window is at 914.
    moved = timetable.release(first, 750_000)
    assert moved[waits.request].placed.admitted_cycle == 914


@pytest.mark.parametrize("frame", [{}, OWN_SLOT])
def test_frames_begin_anew_after_the_last_pass_of_a_client_that_vanished(
    frame: dict[str, object],
) -> None:
    alone = online(**frame).admit(0, 20, 0, 3)
    timetable = online(**frame)
    gone = timetable.admit(0, 20, 0, 50)
    # Its last turn has begun, and is done within 250 cycles.
    timetable.release(gone, 1_500_000)
    again = timetable.admit(1_750_000, 20, 0, 3)
    for mine, first in zip(again.placed[1:], alone.placed[1:], strict=True):
        assert mine - first == 1_750


@pytest.mark.parametrize("frame", [{}, OWN_SLOT])
@given(st.lists(st.integers(0, 400_000), min_size=1, max_size=5))
def test_equal_requests_take_equally_long_without_load(
    frame: dict[str, object], pauses: list[int]
) -> None:
    timetable, now = online(**frame), 0
    took = set()
    for pause in pauses:
        # Users see the end a little after the last pass: the way to the host.
        now += 1000 * (pause // 1000)
        ticket = timetable.admit(now, 30, 0, 5)
        took.add((ticket.first_token_ps - now, ticket.end_ps - now, ticket.slot))
        now = ticket.end_ps
    assert len(took) == 1


def test_a_request_that_is_done_is_forgotten() -> None:
    timetable = online()
    ticket = timetable.admit(0, 1, 0, 1)
    timetable.forget(ticket.end_ps)
    assert timetable.release(ticket, ticket.end_ps) == {}


def test_requests_and_frames_that_cannot_be_are_refused() -> None:
    with pytest.raises(SpecError, match="exceed the frame's context of 100"):
        online().admit(0, 99, 0, 2)
    with pytest.raises(SpecError, match="both must be > 0"):
        online().admit(0, 0, 0, 2)
    with pytest.raises(SpecError, match="5 cached and 6 restored"):
        online().admit(0, 9, 5, 2, restored_tokens=6)
    with pytest.raises(SpecError, match="0 windows serve no prompt"):
        online(windows=0)
    with pytest.raises(SpecError, match="no future is known"):
        online(windows=0, policy=Policy.ALTERNATE)
