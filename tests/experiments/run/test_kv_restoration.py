"""Restoration of a lost KV cache: what is recomputed, what mirrors give back."""

from collections.abc import Callable

import pytest

from compiler.ir.schedule import Schedule
from experiments.run.failover_planning import SpareNodes
from fabric.faults.spares import Moved
from fabric.replay import replay
from fabric.results.result import RunResult
from fabric.simulation import simulate
from specs.faults import ChipStops
from topologies.outage import Outage

Spared = Callable[..., tuple[Schedule, SpareNodes]]
Engine = Callable[..., RunResult]
NODE = frozenset({0, 1})
MIRRORED = {"failover__kv_cache": "mirrored"}


def moved(spares: SpareNodes, *nodes: int, before: Moved | None = None) -> Moved:
    """Return the move away from nodes of two chips, as they are known to be bad."""
    chips = frozenset(chip for node in nodes for chip in (2 * node, 2 * node + 1))
    return spares.moved(nodes, Outage(chips=chips), before)


def test_a_lost_part_is_recomputed_and_a_host_loads_no_cache(spared: Spared) -> None:
    schedule, spares = spared()
    made = moved(spares, 0)
    (part,) = made.restorations
    first = schedule.plan.stages[0]
    assert part.restored_bytes == first.memory.kv_cache.sum()
    # 4 B for each of 16 positions.
    assert (part.host_bytes, part.chained) == (64, True)
    reserve = schedule.plan.machine.chip.program_reserve_bytes
    weights = first.memory.weights
    # Two programs: that of the recomputation, and that of the tokens.
    assert made.most_loaded_bytes == 2 * reserve + weights.max()
    assert made.lost == tuple(made.chips[:2])


def test_what_was_lost_before_and_not_restored_is_restored_now(spared: Spared) -> None:
    _, spares = spared(spare_nodes=2)
    first = moved(spares, 0)
    both = moved(spares, 0, 1, before=first)
    assert set(both.lost) == {*first.lost, *both.chips[2:4]}
    whole = first._replace(lost=(), restorations=())
    assert moved(spares, 0, 1, before=whole).lost == both.chips[2:4]


def test_mirrors_give_back_what_a_node_had_and_what_it_mirrored(spared: Spared) -> None:
    schedule, spares = spared(**MIRRORED)
    made = moved(spares, 1)
    (copies,) = made.restorations
    trains = copies.program.trains
    topology = schedule.topology
    ways = {
        (int(topology.source[link]), int(topology.target[link])) for link in trains.link
    }
    stages = [stage.chips.tolist() for stage in schedule.plan.stages]
    assert stages[1] == [2, 3]
    # To the spare node: its keys and values from the third stage, and those that it
    # mirrors from the first.
    targets = {target for _, target in ways}
    assert set(made.lost) <= targets
    own = schedule.plan.stages[1].memory.kv_cache.sum()
    assert copies.restored_bytes == own
    assert (copies.host_bytes, copies.chained) == (0, False)


def test_what_no_mirror_has_is_recomputed_first(spared: Spared) -> None:
    _, spares = spared(spare_nodes=2, **MIRRORED)
    both = moved(spares, 0, 1)
    recomputed, copied = both.restorations
    assert (recomputed.chained, copied.chained) == (True, False)
    # Only the first of two neighbours lost its mirror, and it takes one layer.
    assert recomputed.restored_bytes < both.restorations[1].restored_bytes


@pytest.mark.parametrize("engine", [simulate, replay])
def test_mirrored_runs_lose_nothing(spared: Spared, engine: Engine) -> None:
    for chip in range(0, 12, 2):
        prepared = spared(sequences=2, link__ber=0, **MIRRORED)
        schedule, spares = prepared
        result = engine(
            schedule.program,
            schedule.topology,
            schedule.plan.machine,
            seed=1,
            tokens=4,
            faults=[ChipStops(at_us=10, chip=chip)],
            spares=spares,
        )
        assert result.missing == ()
        assert sum(row.delivered for row in result.iterations) == 8
