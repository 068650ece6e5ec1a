"""Failover part by part: what is charged, and what faults do meanwhile."""

from collections.abc import Callable, Sequence

import pytest

from compiler.ir.schedule import Schedule
from fabric.faults.spares import Spares
from fabric.replay import replay
from fabric.results.result import Failover, RunResult
from fabric.runtime.program_switch import Change
from fabric.simulation import simulate
from specs.faults import ChipStops, Fault, LinkDies, LinkErrorRate

Spared = Callable[..., tuple[Schedule, Spares]]
Engine = Callable[..., RunResult]
ENGINES = pytest.mark.parametrize("engine", [simulate, replay])
TOKENS = 4
# The first chip of the second stage; both layers have lost something then.
STOPS = ChipStops(at_us=10, chip=2)


def run(
    engine: Engine, spared: tuple[Schedule, Spares], faults: Sequence[Fault]
) -> RunResult:
    schedule, spares = spared
    return engine(
        schedule.program,
        schedule.topology,
        schedule.plan.task.machine,
        seed=1,
        tokens=TOKENS,
        faults=faults,
        spares=spares,
    )


def during_kv(result: RunResult, part: float) -> float:
    """Return a time within the restoration of a run's failover, in us of its faults."""
    (failover,) = result.failovers
    begin_ps = failover.stopped_ps + failover.detect_ps + failover.load_ps
    begin_ps += failover.bring_up_ps
    zero_ps = result.iterations[0].start_ps
    return (begin_ps + part * failover.kv_ps - zero_ps) / 1e6


def test_parts_are_charged_from_the_settings_of_each(spared: Spared) -> None:
    settings: dict[str, object] = {"sequences": 2, "link__ber": 0}
    (usual,) = run(replay, spared(**settings), [STOPS]).failovers
    assert sum(usual.parts_ps.values()) == usual.duration_ps
    assert min(usual.parts_ps.values()) > 0

    def parts(**changed: object) -> dict[str, int]:
        (failover,) = run(replay, spared(**settings, **changed), [STOPS]).failovers
        return failover.parts_ps

    later = parts(failover__timeout_us=10_007, failover__agreement_us=110)
    assert later["detect"] - usual.detect_ps == 17 * 10**6
    assert later["load"] == usual.load_ps
    half = parts(host__load_gb_per_s=15.75)
    assert half["load"] == pytest.approx(2 * usual.load_ps, abs=1)
    # Where nothing jitters, links have settled at the first judgement: 256 exchanges
    # more, each 16 epochs after the one before.
    quiet: dict[str, object] = {"clock__model": "ideal", "link__jitter_cycles": 0}
    sooner, later = (parts(**quiet, hac__exchanges=count) for count in (256, 512))
    grown_ps = later["bring_up"] - sooner["bring_up"]
    assert grown_ps == pytest.approx(256 * 16 * 252 / 900e6 * 1e12, abs=1)


def test_a_chip_that_answers_is_not_waited_for(spared: Spared) -> None:
    prepared = spared(sequences=2, link__ber=0)
    (stops,) = run(replay, prepared, [STOPS]).failovers
    link = int(prepared[0].program.trains.link[0])
    (dies,) = run(replay, prepared, [LinkDies(at_us=10, link=link)]).failovers
    # 10 us of a request and 100 us of agreement; 10 ms until the host gives up.
    assert (dies.detect_ps, stops.detect_ps) == (110 * 10**6, 10_110 * 10**6)


@ENGINES
def test_a_recomputation_that_bits_damage_is_done_again_as_a_whole(
    spared: Spared, engine: Engine
) -> None:
    prepared = spared(sequences=2, link__ber=0)
    usual = run(engine, prepared, [STOPS])
    (alone,) = usual.failovers
    # Every link of the moved program, for a moment of the first passes.
    links = range(len(prepared[0].topology.source))
    begin, end = (during_kv(usual, part) for part in (0.4, 0.6))
    noise = [
        LinkErrorRate(at_us=begin, until_us=end, link=link, ber=0.01) for link in links
    ]
    result = run(engine, prepared, [STOPS, *noise])
    assert result.missing == ()
    (failover,) = result.failovers
    # What was damaged is replayed within the passes, then all are done once more.
    assert failover.kv_passes > 2 * alone.kv_passes
    assert failover.kv_ps > 2 * alone.kv_ps * 0.8
    assert failover.resumed_ps - failover.kv_ps == pytest.approx(
        alone.resumed_ps - alone.kv_ps, abs=3e5
    )


@ENGINES
@pytest.mark.parametrize("part", [0.0, 0.5, 0.9])
def test_a_chip_that_stops_during_the_recomputation_leads_to_the_next_failover(
    spared: Spared, engine: Engine, part: float
) -> None:
    prepared = spared(sequences=2, spare_nodes=2, link__ber=0)
    at_us = during_kv(run(engine, prepared, [STOPS]), part)
    # The chip of the first stage, which computes again what the second had lost.
    result = run(engine, prepared, [STOPS, ChipStops(at_us=at_us, chip=0)])
    assert result.missing == ()
    first, second = result.failovers
    assert (first.bad_node, second.bad_node) == (1, 0)
    if second.iteration == -1:
        # Nothing was restored before, so that what both nodes held is restored now.
        assert first.resumed_ps == second.stopped_ps
        assert second.kv_bytes > first.kv_bytes
    else:
        # The first stage had done its part, and failed at the next token.
        assert part > 0
        assert second.kv_bytes < first.kv_bytes


def test_without_a_clean_recomputation_no_token_is_delivered(spared: Spared) -> None:
    prepared = spared(sequences=2, link__ber=0)
    usual = run(replay, prepared, [STOPS])
    delivered = [row for row in usual.iterations if row.delivered]
    begin = during_kv(usual, 0)
    # Both directions of a cable of the moved program, for ever but for each train's
    # chance of a clean passage: links are not broken, passes are.
    noise = [
        LinkErrorRate(at_us=begin, until_us=1e9, link=link, ber=0.3)
        for link in range(len(prepared[0].topology.source))
    ]
    result = run(replay, prepared, [STOPS, *noise])
    assert len(result.failovers) >= 1
    assert {each.sequence for each in result.missing} == {0, 1}
    assert all("KV cache is lost" in each.reason for each in result.missing)
    before = [row for row in delivered if row.end_ps <= usual.failovers[0].stopped_ps]
    assert [row for row in result.iterations if row.delivered] == before


def test_a_node_that_held_no_cache_costs_no_recomputation(spared: Spared) -> None:
    prepared = spared(link__ber=0)
    last = prepared[0].plan.stages[-1]
    assert not last.memory.kv_cache.any()
    stops = ChipStops(at_us=10, chip=int(last.chips[0]))
    (failover,) = run(replay, prepared, [stops]).failovers
    assert (failover.kv_bytes, failover.kv_passes, failover.kv_ps) == (0, 0, 0)
    assert failover.load_ps > 0


def test_both_engines_fail_over_alike(spared: Spared) -> None:
    prepared = spared(sequences=2, spare_nodes=2)
    faults = [STOPS, ChipStops(at_us=12_800, chip=0)]
    one, other = (run(engine, prepared, faults) for engine in (simulate, replay))
    assert one.failovers == other.failovers
    assert len(one.failovers) == 2
    assert one.trajectory_hash == other.trajectory_hash


def test_a_failover_names_its_parts_in_order() -> None:
    failover = Failover(
        sequence=0,
        iteration=1,
        token=0,
        link=-1,
        chip=2,
        bad_node=1,
        spare_node=2,
        stopped_ps=100,
        loaded_bytes=1,
        load_ps=20,
        resumed_ps=200,
        detect_ps=10,
        bring_up_ps=30,
        kv_ps=35,
    )
    assert list(failover.parts_ps.items()) == [
        ("detect", 10),
        ("load", 20),
        ("bring_up", 30),
        ("kv", 35),
        ("start", 5),
    ]


@pytest.mark.parametrize("back_ps", [50_000, 500_000])
def test_a_change_of_program_moves_nothing_away_from_an_unnoticed_failure(
    spared: Spared, back_ps: int
) -> None:
    schedule, spares = spared(spare_nodes=2, link__ber=0)

    def changed(faults: Sequence[Fault]) -> RunResult:
        return replay(
            schedule.program,
            schedule.topology,
            schedule.plan.task.machine,
            seed=1,
            tokens=TOKENS,
            faults=faults,
            spares=spares,
            changes=[Change(2, schedule.program, spares)],
        )

    usual = changed([STOPS])
    (second,) = (row for row in usual.iterations if row.delivered and row.token == 1)
    zero_ps = usual.iterations[0].start_ps
    # The node that stands in has done its part of the first program's last token.
    at_us = (second.end_ps - back_ps - zero_ps) / 1e6
    result = changed([STOPS, ChipStops(at_us=at_us, chip=4)])
    assert result.missing == ()
    # The next one is loaded and its cache restored only once it has failed twice.
    assert [each.bad_node for each in result.failovers] == [1, 2]
    assert result.failovers[1].kv_bytes > 0
    assert result.failovers[1].token == 2
