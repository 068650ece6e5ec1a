from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compiler.collectives.exchange_phases import exchange_candidates, exchange_form
from compiler.collectives.phases import Algorithm, Phase
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


def by_levels(
    kind: str, exchange: Exchange, chips: list[int]
) -> list[tuple[Phase, ...]]:
    """Return the phases of all algorithms but the ring."""
    candidates = exchange_candidates(MACHINES[kind], exchange, np.array(chips))
    return [
        each.phases() for each in candidates if each.algorithm is not Algorithm.RING
    ]


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
    for phases in by_levels(kind, exchange, chips):
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
    for phases in by_levels(kind, replace(exchange, only=only), chips):
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
    for phases in by_levels(kind, exchange, chips):
        # Backwards a reduce-scatter is an all-gather: what a chip would hold there is
        # the set of shards for which it gets contributions here.
        turned = tuple(phase.turned() for phase in reversed(phases))
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
        # The operator that needs the sum adds after the last phase.
        assert [phase.adds for phase in phases] == [True] * (len(phases) - 1) + [False]


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
        for algorithm in by_levels(kind, replace(exchange, only=only), chips)
    ]
    gather = replace(exchange, only=only, pattern=Pattern.GATHER)
    assert [phases[::-1] for phases in backwards] == [
        [set(phase.messages) for phase in phases]
        for phases in by_levels(kind, gather, chips)
    ]


@given(group=groups(Pattern.TO_LEADER))
def test_everyone_sends_to_the_leader_of_the_group(
    group: tuple[str, Exchange, list[int]],
) -> None:
    kind, exchange, chips = group
    (phases,) = by_levels(kind, exchange, chips)
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
    assert by_levels("node", alone, [0, 1]) == [()]


def gather(width: int, shard_bytes: int = 320) -> Exchange:
    shards = np.full(width, shard_bytes)
    return Exchange("gather", Pattern.GATHER, shards, np.zeros_like(shards))


@given(width=st.integers(3, 9), data=st.data())
def test_in_a_ring_every_shard_passes_every_chip_once(
    width: int, data: st.DataObject
) -> None:
    sizes = data.draw(st.lists(st.integers(1, 99), min_size=width, max_size=width))
    exchange = replace(gather(width), shard_bytes=np.array(sizes))
    (ring,) = (
        each
        for each in exchange_candidates(MACHINES["rack"], exchange, np.arange(width))
        if each.algorithm is Algorithm.RING
    )
    phases = ring.phases()
    assert len(phases) == ring.steps == width - 1
    for phase in phases:
        assert [m.target for m in phase.messages] == [*range(1, width), 0]
    # What a chip sends is what it received in the phase before.
    for before, after in pairwise(phases):
        received = {m.target: m.payload_bytes for m in before.messages}
        assert {m.source: m.payload_bytes for m in after.messages} == received
    assert [m.payload_bytes for m in phases[0].messages] == sizes


@pytest.mark.parametrize(
    ("width", "steps"),
    [(2, [1]), (8, [1, 7]), (16, [1, 2, 2, 15]), (72, [1, 2, 2, 71])],
)
def test_algorithms_are_in_the_order_of_their_steps(
    width: int, steps: list[int]
) -> None:
    made = exchange_candidates(MACHINES["rack"], gather(width), np.arange(width))
    assert [each.steps for each in made] == steps


def test_algorithms_of_too_many_messages_do_not_apply_unless_none_has_fewer() -> None:
    forms = {
        most: [
            each.form
            for each in exchange_candidates(
                MACHINES["rack"], gather(72), np.arange(72), most_messages=most
            )
        ]
        for most in (72 * 71, 72 * 71 - 1, 1)
    }
    few = ["by slots", "by nodes"]
    assert forms == {72 * 71: ["", *few, ""], 72 * 71 - 1: few, 1: few}


def test_across_racks_a_regular_group_takes_a_step_for_each_dimension() -> None:
    by_racks = exchange_candidates(MACHINES["dragonfly"], gather(144), np.arange(144))
    (phases,) = (each.phases() for each in by_racks if each.form == "by racks")
    # To the other rack, then to the 8 other nodes, then to the 7 others of the node.
    assert [len(phase.messages) for phase in phases] == [144, 144 * 8, 144 * 7]
    # A node has the shards of its 8 chips and of 8 of the other rack's.
    held = [int(phase.messages.payload_bytes.sum()) for phase in phases]
    assert held == [144 * 320, 144 * 8 * 640, 144 * 7 * 18 * 320]


def test_only_what_changes_its_phases_changes_the_form_of_an_exchange() -> None:
    exchange = gather(4)
    form = exchange_form(exchange)
    assert exchange_form(replace(exchange, name="other")) == form
    assert exchange_form(replace(exchange, carries=lambda: ())) == form
    some = np.array([True, True, False, True])
    for other in (
        replace(exchange, pattern=Pattern.SCATTER),
        replace(exchange, shard_bytes=exchange.shard_bytes + 1),
        replace(exchange, teams=np.array([0, 0, 1, 1])),
        replace(exchange, only=some),
    ):
        assert exchange_form(other) != form
    assert exchange_form(replace(exchange, only=~some)) != exchange_form(
        replace(exchange, only=some)
    )
