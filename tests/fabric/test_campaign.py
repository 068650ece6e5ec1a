"""Everything that can break does: nothing is lost, repeated or stuck."""

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compiler.ir.schedule import Schedule
from fabric.faults.replay_policy import MOST_ATTEMPTS
from fabric.faults.spares import Spares
from fabric.replay import replay
from fabric.results.result import RunResult
from fabric.simulation import simulate
from specs.faults import ChipStops, Fault, LinkDies, LinkErrorRate
from topologies.topology import Level

Spared = Callable[..., tuple[Schedule, Spares]]
ENGINES = pytest.mark.parametrize("engine", [simulate, replay])
SEEDS = st.integers(0, 2**32)
# Six tokens take 120 us: some faults come during the run and some after it.
TIMES = st.floats(0, 200, allow_subnormal=False)
TOKENS = 6


def run(
    engine: Callable[..., RunResult],
    spared: tuple[Schedule, Spares],
    faults: Sequence[Fault],
    seed: int = 1,
    ber: float = 0,
) -> RunResult:
    schedule, spares = spared
    result = engine(
        schedule.program,
        schedule.topology,
        # No program depends on bit errors, so that all rates share those of failovers.
        schedule.plan.task.machine.with_settings({"link.ber": ber}),
        seed=seed,
        tokens=TOKENS,
        faults=faults,
        spares=spares,
    )
    check(result, schedule.program.sequences)
    return result


def check(result: RunResult, sequences: int) -> None:
    """Check that each token is delivered once, or missing once and with a reason."""
    wanted = {(s, token) for s in range(sequences) for token in range(TOKENS)}
    delivered = [(r.sequence, r.token) for r in result.iterations if r.delivered]
    missing = [
        (each.sequence, token)
        for each in result.missing
        for token in range(each.first_token, each.last_token + 1)
    ]
    assert sorted(delivered + missing) == sorted(wanted)
    assert all(each.reason for each in result.missing)
    assert (result.underflows, result.overflows) == (0, 0)
    # A sequence does one thing at a time, in the order of its tokens.
    for sequence in range(sequences):
        rows = [row for row in result.iterations if row.sequence == sequence]
        for before, after in pairwise(rows):
            assert before.end_ps <= after.start_ps
            step = (0, before.attempt + 1) if not before.delivered else (1, 0)
            assert (after.token - before.token, after.attempt) == step
    for failover in result.failovers:
        assert not any(
            row.start_ps < failover.resumed_ps and row.end_ps > failover.stopped_ps
            for row in result.iterations
        )


def chips_by_role(schedule: Schedule) -> dict[str, int]:
    """Return a chip of each role that a chip can have in this machine."""
    stages = schedule.plan.stages
    holders = {int(chip) for stage in stages for chip in stage.chips}
    works = {int(chip) for chip in schedule.program.instructions.chip}
    idle = set(range(schedule.topology.chips)) - works
    roles = {
        "leader": schedule.program.leader,
        "first stage": int(stages[0].chips[1]),
        "middle stage": int(stages[1].chips[0]),
        "last stage": int(stages[-1].chips[1]),
    }
    roles |= {"forwarder": min(works - holders)} if works - holders else {}
    return roles | {"idle spare": max(idle)}


def used_links(schedule: Schedule, level: Level) -> list[int]:
    used = np.unique(schedule.program.trains.link)
    return [int(link) for link in used if schedule.topology.level[link] == level]


@ENGINES
@pytest.mark.parametrize("level", Level)
@given(at_us=TIMES, data=st.data())
@settings(max_examples=15)
def test_a_cable_of_any_class_may_break_at_any_time(
    spared: Spared,
    engine: Callable[..., RunResult],
    level: Level,
    at_us: float,
    data: st.DataObject,
) -> None:
    prepared = spared(sequences=2, link__ber=0)
    link = data.draw(st.sampled_from(used_links(prepared[0], level)))
    result = run(engine, prepared, [LinkDies(at_us=at_us, link=link)])
    assert result.missing == ()
    # A cable that breaks when nothing is left to send breaks nothing.
    assert len(result.failovers) == (result.links.lost.sum() > 0)
    if result.failovers:
        assert result.failovers[0].link // 2 == link // 2


@ENGINES
@pytest.mark.parametrize(
    "role", ["leader", "first stage", "middle stage", "last stage", "idle spare"]
)
@given(at_us=TIMES)
@settings(max_examples=15)
def test_a_chip_of_any_role_may_stop_at_any_time(
    spared: Spared, engine: Callable[..., RunResult], role: str, at_us: float
) -> None:
    prepared = spared(sequences=2, link__ber=0)
    chip = chips_by_role(prepared[0])[role]
    result = run(engine, prepared, [ChipStops(at_us=at_us, chip=chip)])
    assert result.missing == ()
    bad = [failover.chip for failover in result.failovers]
    assert bad == ([chip] if result.replays else [])
    if role == "idle spare":
        assert bad == []
    elif at_us < 50:
        assert bad == [chip]


@ENGINES
@given(at_us=st.floats(0, 50))
@settings(max_examples=20)
def test_the_program_goes_around_a_bad_node_that_only_forwards(
    spared: Spared, engine: Callable[..., RunResult], at_us: float
) -> None:
    prepared = spared(sequences=2, link__ber=0, spare_nodes=2, through_spares=True)
    chip = chips_by_role(prepared[0])["forwarder"]
    result = run(engine, prepared, [ChipStops(at_us=at_us, chip=chip)])
    (failover,) = result.failovers
    assert (failover.chip, failover.spare_node, result.missing) == (chip, -1, ())
    assert "went around it" in str(failover)


@ENGINES
def test_a_bad_node_that_only_forwarded_stands_in_for_none(
    spared: Spared, engine: Callable[..., RunResult]
) -> None:
    prepared = spared(link__ber=0, spare_nodes=2, through_spares=True)
    forwarder = chips_by_role(prepared[0])["forwarder"]
    faults = [ChipStops(at_us=0, chip=forwarder), ChipStops(at_us=150, chip=0)]
    result = run(engine, prepared, faults)
    node = prepared[0].topology.node
    assert [f.bad_node for f in result.failovers] == [node[forwarder], node[0]]
    assert result.failovers[1].spare_node not in (-1, node[forwarder])
    assert result.missing == ()


@ENGINES
def test_without_another_way_around_tokens_are_missing(
    spared: Spared, engine: Callable[..., RunResult]
) -> None:
    prepared = spared(link__ber=0, through_spares=True)
    chip = chips_by_role(prepared[0])["forwarder"]
    result = run(engine, prepared, [ChipStops(at_us=30, chip=chip)])
    (missing,) = result.missing
    assert f"chip {chip} does not answer, and chip" in missing.reason
    assert "has no way to" in missing.reason


@ENGINES
@pytest.mark.parametrize("at_us", [0.0, 30.0])
def test_without_spares_what_is_missing_is_named_with_the_way_out(
    spared: Spared, engine: Callable[..., RunResult], at_us: float
) -> None:
    prepared = spared(sequences=2, spare_nodes=0, link__ber=0)
    result = run(engine, prepared, [ChipStops(at_us=at_us, chip=2)])
    assert [each.sequence for each in result.missing] == [0, 1]
    assert all("rack 0 has no spare node left" in m.reason for m in result.missing)
    assert (result.missing[1].first_token == 0) == (at_us == 0)


@ENGINES
@pytest.mark.parametrize("at_us", [1e4, 1e12, 1e300])
def test_a_fault_after_the_end_is_none(
    spared: Spared, engine: Callable[..., RunResult], at_us: float
) -> None:
    prepared = spared(sequences=2, link__ber=0)
    usual = run(engine, prepared, [])
    late = [
        ChipStops(at_us=at_us, chip=0),
        LinkDies(at_us=at_us, link=0),
        LinkErrorRate(at_us=at_us, until_us=2 * at_us, link=0, ber=0.1),
    ]
    assert run(engine, prepared, late).trajectory_hash == usual.trajectory_hash


@ENGINES
@given(
    first=TIMES, second=TIMES, chips=st.tuples(st.integers(0, 11), st.integers(0, 11))
)
@settings(max_examples=30)
def test_two_chips_may_stop_in_one_run(
    spared: Spared,
    engine: Callable[..., RunResult],
    first: float,
    second: float,
    chips: tuple[int, int],
) -> None:
    prepared = spared(sequences=2, link__ber=0)
    faults = [
        ChipStops(at_us=at_us, chip=chip)
        for at_us, chip in zip((first, second), chips, strict=True)
    ]
    result = run(engine, prepared, faults)
    racks = prepared[0].topology.rack[list(chips)]
    nodes = prepared[0].topology.node[list(chips)]
    if racks[0] != racks[1] or nodes[0] == nodes[1]:
        # One spare a rack is enough.
        assert result.missing == ()
    for missing in result.missing:
        assert "has no spare node left" in missing.reason


@ENGINES
def test_two_bad_nodes_of_a_rack_need_two_spares(
    spared: Spared, engine: Callable[..., RunResult]
) -> None:
    faults = [ChipStops(at_us=10, chip=0), ChipStops(at_us=160, chip=2)]
    one = run(engine, spared(sequences=2, link__ber=0), faults)
    assert [f.bad_node for f in one.failovers] == [0]
    assert all(
        "rack 0 has no spare node left for node 1" in str(m) for m in one.missing
    )
    assert len(one.missing) == 2
    two = run(engine, spared(sequences=2, link__ber=0, spare_nodes=2), faults)
    assert [(f.bad_node, f.spare_node) for f in two.failovers] == [(0, 2), (1, 3)]
    assert two.missing == ()


@ENGINES
@pytest.mark.parametrize("before", [True, False])
def test_the_spare_may_be_dead_itself(
    spared: Spared, engine: Callable[..., RunResult], *, before: bool
) -> None:
    faults = [
        ChipStops(at_us=10, chip=0),
        ChipStops(at_us=0 if before else 150, chip=4),
    ]
    one = run(engine, spared(link__ber=0), faults)
    assert len(one.failovers) == (not before)
    assert "rack 0 has no spare node left" in one.missing[0].reason
    # With two spares the next one is taken: at once if the first is known to be dead.
    two = run(engine, spared(link__ber=0, spare_nodes=2), faults)
    assert two.missing == ()
    assert [f.spare_node for f in two.failovers] == ([3] if before else [2, 3])


@ENGINES
@given(part=st.floats(0, 1), chip=st.integers(0, 11))
@settings(max_examples=20)
def test_a_chip_may_stop_while_the_spare_is_loaded(
    spared: Spared, engine: Callable[..., RunResult], part: float, chip: int
) -> None:
    prepared = spared(sequences=2, link__ber=0)
    first = ChipStops(at_us=10, chip=0)
    (failover,) = run(engine, prepared, [first]).failovers
    schedule = prepared[0]
    begin_ps = run(engine, prepared, []).iterations[0].start_ps
    at_ps = failover.stopped_ps + part * failover.duration_ps - begin_ps
    faults = [first, ChipStops(at_us=at_ps / 1e6, chip=chip)]
    result = run(engine, prepared, faults)
    topology = schedule.topology
    if topology.rack[chip] == 1 or chip < 2:
        assert result.missing == ()
    else:
        assert {m.sequence for m in result.missing} == {0, 1}
    # It is found by the passes that restore the KV cache, or by the attempts after it.
    moved = result.failovers[0]
    assert moved.kv_passes >= failover.kv_passes
    assert failover == moved._replace(
        kv_passes=failover.kv_passes,
        kv_ps=failover.kv_ps,
        resumed_ps=failover.resumed_ps,
    )


@ENGINES
@pytest.mark.parametrize("spare_nodes", [0, 1, 7])
def test_a_rack_that_dies_node_by_node_ends(
    spared: Spared, engine: Callable[..., RunResult], spare_nodes: int
) -> None:
    # Each spare dies before the KV cache is restored, so that no attempt follows.
    prepared = spared(link__ber=0, spare_nodes=spare_nodes)
    faults = [ChipStops(at_us=0, chip=0)]
    begin_ps = run(engine, prepared, []).iterations[0].start_ps
    for number in range(spare_nodes):
        last = run(engine, prepared, faults).failovers[-1]
        at_us = (last.stopped_ps + last.detect_ps - begin_ps) / 1e6
        faults.append(ChipStops(at_us=at_us, chip=4 + 2 * number))
    result = run(engine, prepared, faults)
    assert len(result.failovers) == spare_nodes
    assert [each.iteration for each in result.failovers[1:]] == [-1] * (spare_nodes - 1)
    for before, after in pairwise(result.failovers):
        assert (before.resumed_ps, before.start_ps) == (after.stopped_ps, 0)
        # Two passes, as any attempt that is damaged.
        assert before.kv_passes == 2
    (missing,) = result.missing
    assert (missing.first_token, missing.last_token) == (0, TOKENS - 1)
    assert "has no spare node left" in missing.reason
    assert ("its KV cache is lost" in missing.reason) == (spare_nodes > 0)
    assert len(result.iterations) == (2 if spare_nodes else MOST_ATTEMPTS)


@ENGINES
@given(seed=SEEDS, at_us=TIMES, for_us=st.floats(1, 100))
@settings(max_examples=30)
def test_a_link_that_is_bad_for_a_time_costs_at_most_its_node(
    spared: Spared,
    engine: Callable[..., RunResult],
    *,
    seed: int,
    at_us: float,
    for_us: float,
) -> None:
    prepared = spared(sequences=2, link__ber=0)
    link = int(prepared[0].program.trains.link[0])
    fault = LinkErrorRate(at_us=at_us, until_us=at_us + for_us, link=link, ber=0.01)
    result = run(engine, prepared, [fault], seed=seed)
    assert result.missing == ()
    assert {f.link for f in result.failovers} <= {link}


@ENGINES
@given(
    seed=SEEDS,
    at_us=TIMES,
    cable=st.integers(0, 14),
    chip=st.integers(0, 11),
    ber=st.sampled_from([0.0, 1e-5, 1e-4]),
)
@settings(max_examples=30)
def test_chips_and_cables_and_bits_may_fail_together(
    spared: Spared,
    engine: Callable[..., RunResult],
    *,
    seed: int,
    at_us: float,
    cable: int,
    chip: int,
    ber: float,
) -> None:
    prepared = spared(sequences=2, link__ber=0)
    faults = [
        LinkDies(at_us=at_us, link=2 * (cable % prepared[0].topology.links)),
        ChipStops(at_us=at_us / 2, chip=chip),
    ]
    run(engine, prepared, faults, seed=seed, ber=ber)
