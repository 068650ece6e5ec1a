import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compiler.collectives.flat_algorithms import direct_messages, direct_stages, shares
from compiler.collectives.stages import Algorithm, Collective, CollectiveStage
from specs.arrays import Ints

members = st.integers(2, 12).map(lambda n: 3 * np.arange(n, dtype=np.int64))
sizes = st.integers(1, 100)
DIRECT = (Algorithm.ONE_SHOT, Algorithm.TWO_STEP, Algorithm.RING)


def received(stages: list[CollectiveStage], chips: Ints) -> Ints:
    total = np.zeros(int(chips.max()) + 1, dtype=np.int64)
    for made in stages:
        np.add.at(total, made.target, made.vectors)
    return total[chips]


@given(chips=members, vectors=sizes)
def test_one_shot_sends_everything_to_everyone(chips: Ints, vectors: int) -> None:
    stages = direct_stages(Collective.ALL_REDUCE, Algorithm.ONE_SHOT, chips, vectors)
    assert stages is not None
    (made,) = stages
    assert made.reduces
    count = len(chips)
    assert received([made], chips).tolist() == [(count - 1) * vectors] * count


@given(chips=members, vectors=sizes)
def test_two_steps_scatter_sums_and_gather_them(chips: Ints, vectors: int) -> None:
    stages = direct_stages(Collective.ALL_REDUCE, Algorithm.TWO_STEP, chips, vectors)
    assert stages is not None
    scatter, gather = stages
    own, others = shares(vectors, len(chips)), len(chips) - 1
    assert received([scatter], chips).tolist() == (own * others).tolist()
    assert received([gather], chips).tolist() == (vectors - own).tolist()
    assert [made.reduces for made in stages] == [True, False]


@given(chips=members, vectors=sizes)
def test_a_ring_passes_one_share_on_in_each_step(chips: Ints, vectors: int) -> None:
    stages = direct_stages(Collective.ALL_REDUCE, Algorithm.RING, chips, vectors)
    assert stages is not None
    assert len(stages) == 2 * (len(chips) - 1)
    for made in stages:
        assert made.target.tolist() == np.roll(chips, -1).tolist()
        assert set(made.vectors.tolist()) == {-(-vectors // len(chips))}


@given(chips=members, vectors=sizes)
def test_a_pipelined_ring_brings_every_share_to_every_chip_in_order(
    chips: Ints, vectors: int
) -> None:
    stages = direct_stages(Collective.BROADCAST, Algorithm.RING, chips, vectors)
    assert stages is not None
    count = dict.fromkeys(chips.tolist(), 0)
    count[int(chips[0])] = len(chips)
    for made in stages:
        sent = list(zip(made.source.tolist(), made.target.tolist(), strict=True))
        # What is passed on has arrived in an earlier step.
        assert all(count[source] > count[target] for source, target in sent)
        for _, target in sent:
            count[target] += 1
    assert set(count.values()) == {len(chips)}


@given(chips=members, share=st.integers(1, 9))
def test_an_all_to_all_in_rounds_meets_every_other_chip_once(
    chips: Ints, share: int
) -> None:
    vectors = share * len(chips)
    rounds = direct_stages(Collective.ALL_TO_ALL, Algorithm.RING, chips, vectors)
    at_once = direct_stages(Collective.ALL_TO_ALL, Algorithm.ONE_SHOT, chips, vectors)
    assert rounds is not None
    assert at_once is not None

    def pairs(stages: list[CollectiveStage]) -> list[tuple[int, int, int]]:
        rows = [np.stack([s.source, s.target, s.vectors]).T for s in stages]
        return sorted(map(tuple, np.concatenate(rows).tolist()))

    assert pairs(rounds) == pairs(at_once)


@pytest.mark.parametrize("algorithm", DIRECT)
@given(chips=members, vectors=sizes, kind=st.sampled_from(list(Collective)))
def test_messages_are_counted_before_they_are_made(
    algorithm: Algorithm, chips: Ints, vectors: int, kind: Collective
) -> None:
    stages = direct_stages(kind, algorithm, chips, vectors * len(chips))
    if stages is None:
        return
    made = sum(len(stage.source) for stage in stages)
    most = direct_messages(kind, algorithm, len(chips))
    # A broadcast in two steps gathers what it has scattered, less what the root has.
    assert most / 2 <= made <= 2 * most


@given(vectors=st.integers(0, 1000), count=st.integers(1, 50))
def test_shares_add_up_and_are_nearly_equal(vectors: int, count: int) -> None:
    own = shares(vectors, count)
    assert own.sum() == vectors
    assert own.max() - own.min() <= 1
