import numpy as np

from compiler.collectives.pieces import (
    arrays_of,
    cut,
    each_message,
    kept,
    ranges,
    ranges_of_members,
    scaled,
)


def test_pieces_of_messages_that_are_left_out_go_with_them() -> None:
    made = kept(each_message(np.array([0, 5, 9]), 10), np.array([True, False, True]))
    assert made.message.tolist() == [0, 1]
    assert made.first.tolist() == [0, 9]


def test_pieces_in_vectors_become_pieces_in_bytes() -> None:
    made = scaled(each_message(np.array([1]), np.array([3])), 320)
    assert (made.first[0], made.last[0]) == (320, 960)


def test_a_range_of_what_a_message_carries_runs_over_its_pieces() -> None:
    # Message 0 carries 10 + 10 columns, message 1 carries 5.
    made = ranges(np.array([0, 0, 1]), np.array([0, 20, 0]), np.array([10, 30, 5]))
    first, last = cut(
        made.message, made.first, made.last, np.array([4, 0]), np.array([13, 2])
    )
    assert list(zip(first.tolist(), last.tolist(), strict=True)) == [
        (4, 10),
        (20, 23),
        (0, 2),
    ]


def test_equal_neighbours_are_one_array() -> None:
    edges = np.array([[0, 0, 0, 1], [0, 5, 9, 10], [5, 9, 10, 11]])
    members = np.array([0b11, 0b11, 0b1, 0b1], dtype=object)
    made = arrays_of(edges, members)
    assert made.first.tolist() == [0, 9, 10]
    assert made.last.tolist() == [9, 10, 11]


def test_a_set_of_members_is_ranges() -> None:
    assert ranges_of_members(0b1110_0110) == [(1, 3), (5, 8)]
    # The tensor of member 4 alone.
    assert ranges_of_members(-5) == [(4, 5)]
