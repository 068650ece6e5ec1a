import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from compiler.collectives.flat_algorithms import (
    one_shot,
    ring,
    scattered,
    shares,
    slice_edges,
)
from compiler.collectives.phases import Phase
from specs.arrays import Ints
from workloads.collective import Collective

members = st.integers(2, 12).map(lambda n: 3 * np.arange(n, dtype=np.int64))
sizes = st.integers(1, 100)


def received(phases: tuple[Phase, ...], chips: Ints) -> list[int]:
    total = dict.fromkeys(chips.tolist(), 0)
    for made in phases:
        for message in made.messages:
            total[message.target] += message.payload_bytes
    return list(total.values())


@given(chips=members, vectors=sizes)
def test_one_shot_sends_everything_to_everyone(chips: Ints, vectors: int) -> None:
    (made,) = one_shot(Collective.ALL_REDUCE, chips, vectors)
    assert made.adds
    count = len(chips)
    assert received((made,), chips) == [(count - 1) * vectors] * count


@given(chips=members, vectors=sizes)
def test_a_root_sends_every_other_its_share(chips: Ints, vectors: int) -> None:
    got = received(scattered(chips, vectors), chips)
    assert got == [0, *shares(vectors, len(chips))[1:].tolist()]


@given(chips=members, vectors=sizes)
def test_a_pipelined_ring_brings_every_share_to_every_chip_in_order(
    chips: Ints, vectors: int
) -> None:
    count = dict.fromkeys(chips.tolist(), 0)
    count[int(chips[0])] = len(chips)
    for made in ring(Collective.BROADCAST, chips, vectors):
        # What is passed on has arrived in an earlier step.
        assert all(count[m.source] > count[m.target] for m in made.messages)
        for message in made.messages:
            count[message.target] += 1
    assert set(count.values()) == {len(chips)}


@given(chips=members, share=st.integers(1, 9))
def test_an_all_to_all_in_rounds_meets_every_other_chip_once(
    chips: Ints, share: int
) -> None:
    vectors = share * len(chips)
    rounds = ring(Collective.ALL_TO_ALL, chips, vectors)
    (at_once,) = one_shot(Collective.ALL_TO_ALL, chips, vectors)
    in_rounds = [message for made in rounds for message in made.messages]
    assert sorted(in_rounds) == sorted(at_once.messages)


@given(vectors=st.integers(0, 1000), count=st.integers(1, 50))
def test_shares_add_up_and_are_nearly_equal(vectors: int, count: int) -> None:
    own = shares(vectors, count)
    assert own.sum() == vectors
    assert own.max() - own.min() <= 1


def test_slices_begin_where_those_before_them_end() -> None:
    assert slice_edges(np.array([2, 0, 3])).tolist() == [0, 2, 2, 5]
    assert slice_edges(np.zeros(0, dtype=np.int64)).tolist() == [0]
