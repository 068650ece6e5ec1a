from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compiler.collectives.exchange_phases import Phase, exchange_candidates
from sharding.operators.operators import Exchange, Pattern
from topologies.selection import select_topology

MACHINES = {
    "node": select_topology(8),
    "rack": select_topology(72),
    "dragonfly": select_topology(144),
}


@st.composite
def groups(draw: st.DrawFn, pattern: Pattern) -> tuple[str, Exchange, list[int]]:
    """Chips in a row or strewn about, in one group or several of uneven sizes."""
    kind = draw(st.sampled_from(sorted(MACHINES)))
    most = min(40, MACHINES[kind].chips)
    width = draw(st.integers(2, most) | st.sampled_from([8, 16, 24, 40]))
    width = min(width, most)
    if draw(st.booleans()):
        first = draw(st.integers(0, MACHINES[kind].chips - width))
        chips = list(range(first, first + width))
    else:
        order = draw(st.permutations(range(MACHINES[kind].chips)))
        chips = list(order[:width])
    parts = draw(st.integers(1, 3))
    teams = np.arange(width) * parts // width
    shard_bytes = np.array(
        draw(st.lists(st.integers(1, 999), min_size=width, max_size=width)),
        dtype=np.int64,
    )
    return kind, Exchange("exchange", pattern, shard_bytes, teams), chips


def everything_gathered(
    phases: tuple[Phase, ...], sizes: dict[int, int]
) -> list[dict[int, set[int]]]:
    """Return whose shards each chip holds before each phase and after the last."""
    states = [{chip: {chip} for chip in sizes}]
    for phase in phases:
        after = {chip: set(shards) for chip, shards in states[-1].items()}
        for message in phase.messages:
            sent = states[-1][message.source]
            assert message.payload_bytes == sum(sizes[shard] for shard in sent)
            after[message.target] |= sent
        states.append(after)
    return states


def teams_of(exchange: Exchange, chips: list[int]) -> dict[int, set[int]]:
    own = dict(zip(chips, exchange.teams.tolist(), strict=True))
    return {chip: {c for c in chips if own[c] == own[chip]} for chip in chips}


@given(group=groups(Pattern.GATHER))
def test_an_all_gather_brings_every_shard_to_every_member_of_the_group(
    group: tuple[str, Exchange, list[int]],
) -> None:
    kind, exchange, chips = group
    sizes = dict(zip(chips, exchange.shard_bytes.tolist(), strict=True))
    algorithms = exchange_candidates(MACHINES[kind], exchange, np.array(chips))
    for phases in algorithms:
        # Each message carries all that its source holds, at its true size.
        final = everything_gathered(phases, sizes)[-1]
        assert final == teams_of(exchange, chips)


@given(group=groups(Pattern.GATHER), data=st.data())
def test_an_all_gather_for_some_members_brings_them_all_and_sends_nothing_in_vain(
    group: tuple[str, Exchange, list[int]], data: st.DataObject
) -> None:
    kind, exchange, chips = group
    only = np.array(data.draw(st.lists(st.booleans(), min_size=len(chips))))
    only = np.resize(np.append(only, True), len(chips))
    ends = set(np.array(chips)[only].tolist())
    sizes = dict(zip(chips, exchange.shard_bytes.tolist(), strict=True))
    for phases in exchange_candidates(
        MACHINES[kind], replace(exchange, only=only), np.array(chips)
    ):
        final = everything_gathered(phases, sizes)[-1]
        teams = teams_of(exchange, chips)
        assert all(final[chip] == teams[chip] for chip in ends)
        for number, phase in enumerate(phases):
            later = {m.source for after in phases[number + 1 :] for m in after.messages}
            assert {m.target for m in phase.messages} <= ends | later


@given(group=groups(Pattern.SCATTER))
def test_a_reduce_scatter_adds_up_every_contribution_exactly_once(
    group: tuple[str, Exchange, list[int]],
) -> None:
    kind, exchange, chips = group
    sizes = dict(zip(chips, exchange.shard_bytes.tolist(), strict=True))
    for phases in exchange_candidates(MACHINES[kind], exchange, np.array(chips)):
        # Backwards a reduce-scatter is an all-gather: what a chip would hold there is
        # the set of shards for which it gets contributions here.
        turned = tuple(
            Phase(
                replace(
                    phase.messages,
                    source=phase.messages.target,
                    target=phase.messages.source,
                )
            )
            for phase in reversed(phases)
        )
        wanted = everything_gathered(turned, sizes)[-2::-1]
        # (holder, shard) -> whose contributions are in its partial sum.
        sums = {(chip, shard): {chip} for chip in chips for shard in chips}
        for phase, shards_of in zip(phases, wanted, strict=True):
            before = {key: set(value) for key, value in sums.items()}
            for message in phase.messages:
                for shard in shards_of[message.target]:
                    added = before[message.source, shard]
                    assert not sums[message.target, shard] & added
                    sums[message.target, shard] |= added
        teams = teams_of(exchange, chips)
        assert {chip: sums[chip, chip] for chip in chips} == teams


@given(group=groups(Pattern.SCATTER), first=st.integers(0, 30))
def test_a_reduce_scatter_from_some_members_is_their_all_gather_backwards(
    group: tuple[str, Exchange, list[int]], first: int
) -> None:
    kind, exchange, chips = group
    only = np.arange(len(chips)) >= min(first, len(chips) - 1)
    backwards = [
        [
            {(m.target, m.source, m.payload_bytes) for m in phase.messages}
            for phase in algorithm
        ]
        for algorithm in exchange_candidates(
            MACHINES[kind], replace(exchange, only=only), np.array(chips)
        )
    ]
    gather = replace(exchange, only=only, pattern=Pattern.GATHER)
    assert [phases[::-1] for phases in backwards] == [
        [set(phase.messages) for phase in phases]
        for phases in exchange_candidates(MACHINES[kind], gather, np.array(chips))
    ]


@given(group=groups(Pattern.TO_LEADER))
def test_everyone_sends_to_the_leader_of_the_group(
    group: tuple[str, Exchange, list[int]],
) -> None:
    kind, exchange, chips = group
    (phases,) = exchange_candidates(MACHINES[kind], exchange, np.array(chips))
    leaders = {
        team: chips[exchange.teams.tolist().index(team)]
        for team in range(3)
        if team in exchange.teams
    }
    expected = {
        (chip, leaders[team])
        for chip, team in zip(chips, exchange.teams.tolist(), strict=True)
        if chip != leaders[team]
    }
    assert {
        (m.source, m.target) for phase in phases for m in phase.messages
    } == expected


def test_groups_of_one_chip_have_no_phases() -> None:
    alone = Exchange("gather", Pattern.GATHER, np.array([5, 5]), np.array([0, 1]))
    assert exchange_candidates(MACHINES["node"], alone, np.array([0, 1])) == [()]


@pytest.mark.parametrize(
    ("width", "phases_of_algorithms"),
    [(8, [1]), (9, [1, 2]), (16, [1, 2]), (24, [1, 2]), (32, [2]), (72, [2])],
)
def test_small_groups_exchange_directly_large_ones_in_steps_and_others_try_both(
    width: int, phases_of_algorithms: list[int]
) -> None:
    gather = Exchange(
        "gather",
        Pattern.GATHER,
        np.full(width, 640),
        np.zeros(width, dtype=np.int64),
    )
    algorithms = exchange_candidates(MACHINES["rack"], gather, np.arange(width))
    assert [len(phases) for phases in algorithms] == phases_of_algorithms


def test_across_racks_a_regular_group_takes_a_step_for_each_dimension() -> None:
    gather = Exchange(
        "gather", Pattern.GATHER, np.full(144, 320), np.zeros(144, dtype=np.int64)
    )
    (phases,) = exchange_candidates(MACHINES["dragonfly"], gather, np.arange(144))
    # To the other rack, then to the 8 other nodes, then to the 7 others of the node.
    assert [len(phase.messages) for phase in phases] == [144, 144 * 8, 144 * 7]
    assert [int(phase.messages.payload_bytes[0]) for phase in phases] == [
        320,
        640,
        5760,
    ]
