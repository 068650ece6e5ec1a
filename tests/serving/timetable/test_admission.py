import itertools

from hypothesis import given
from hypothesis import strategies as st

from serving.frame import FrameTimes, Policy, frame_times
from serving.timetable.admission import Placed, SlotAdmission, WindowAdmission, Work
from tests.serving.round_times import round_frame, round_times

FRAME = frame_times(round_times(), round_frame())
OWN = frame_times(round_times(), round_frame(windows=0, policy=Policy.SLOTS))

works = st.lists(
    st.builds(Work, st.integers(0, 2000), st.integers(1, 5), st.integers(0, 6)),
    min_size=1,
    max_size=12,
).map(lambda each: [Work(*row) for row in sorted(each)])


def test_a_request_takes_the_next_windows_and_then_a_turn_in_every_frame() -> None:
    first, second = WindowAdmission(FRAME).place([Work(1, 2, 3), Work(2, 1, 0)])
    # Frames begin at 1. Windows at 1 and 51; the token is chosen 300 later, and slot 0
    # turns at 401.
    assert first == Placed(0, 1, 351, 401, 1101)
    # Its only window, at 301, is all that it needs of slot 1.
    assert second == Placed(1, 301, 601, 601, 351)


def test_a_request_without_a_prompt_begins_with_its_first_turn() -> None:
    (placed,) = WindowAdmission(FRAME).place([Work(101, 0, 2)])
    assert placed == Placed(0, 201, 201, 201, 601)


def test_a_prompt_in_its_own_slot_takes_a_turn_for_each_chunk() -> None:
    first, second = SlotAdmission(OWN).place([Work(1, 2, 2), Work(1, 1, 1)])
    assert first == Placed(0, 1, 501, 601, 901)
    assert second == Placed(1, 101, 401, 501, 601)


@given(works)
def test_no_request_overtakes_another_and_no_slot_has_two(asked: list[Work]) -> None:
    for admission in (WindowAdmission(FRAME), SlotAdmission(OWN)):
        placed = admission.place(asked)
        starts = [each.admitted_cycle for each in placed]
        assert starts == sorted(starts)
        for work, each in zip(asked, placed, strict=True):
            assert work.ready_cycle <= each.admitted_cycle < each.chosen_cycle
        for slot in range(2):
            uses = [
                (each.admitted_cycle, each.free_cycle)
                for each in placed
                if each.slot == slot
            ]
            assert all(
                end <= begin for (_, end), (begin, _) in itertools.pairwise(uses)
            )


@given(works, st.integers(0, 11))
def test_requests_may_be_placed_at_once_or_one_after_another(
    asked: list[Work], cut: int
) -> None:
    at_once = WindowAdmission(FRAME).place(asked)
    parts = WindowAdmission(FRAME)
    assert parts.place(asked[:cut]) + parts.place(asked[cut:]) == at_once
    rest = WindowAdmission(FRAME)
    rest.place(asked[:cut])
    again = WindowAdmission(
        FRAME,
        rest.next_window,
        rest.free_cycles,
        origin_cycle=rest.origin_cycle,
        idle_cycle=rest.idle_cycle,
    )
    assert again.place(asked[cut:]) == at_once[cut:]


@given(st.lists(st.tuples(st.integers(0, 500), st.integers(0, 4)), min_size=1))
def test_a_request_that_finds_nothing_under_way_always_finds_the_same(
    apart: list[tuple[int, int]],
) -> None:
    for admission in (WindowAdmission(FRAME), SlotAdmission(OWN)):
        found = set()
        for gap, turns in apart:
            ready = admission.idle_cycle + gap
            (alone,) = admission.place([Work(ready, 3, 4)])
            times = [alone.admitted_cycle, alone.chosen_cycle, alone.turn_cycle]
            found.add((alone.slot, *(at - ready for at in times)))
            admission.place([Work(ready + gap, 1, turns)])
        assert len(found) == 1


def test_a_freed_slot_is_taken_by_the_next_request() -> None:
    for admission, times in (
        (WindowAdmission(FRAME), FRAME),
        (SlotAdmission(OWN), OWN),
    ):
        admission.place([Work(0, 1, 100), Work(0, 1, 100)])
        admission.free_slot(1, 1000)
        (placed,) = admission.place([Work(0, 1, 0)])
        assert placed.slot == 1
        assert 1000 <= placed.admitted_cycle < 1000 + times.frame_cycles


def test_rows_are_the_fields_of_what_is_placed() -> None:
    work = Work(0, 1, 1)
    for made in (WindowAdmission, SlotAdmission):
        times: FrameTimes = FRAME if made is WindowAdmission else OWN
        assert [tuple(each) for each in made(times).place([work])] == made(times).rows(
            [work]
        )
