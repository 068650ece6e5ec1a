from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given

from chip.operator_cycles import feed_bytes_per_cycle
from chip.operator_work import LoadWork, ProductWork, Work
from chip.program import Opcode
from compiler.compile_decode import compile_token
from compiler.ir.schedule import Schedule
from compiler.ir.timeline import ComputeEntry
from compiler.scheduling.weight_prefetch import WeightPrefetcher
from sharding.operators.operators import Compute, Unit, compute
from sharding.planner.plan import ShardingPlan
from specs.machine import load_machine
from topologies.selection import select_topology

Compile = Callable[..., Schedule]
CHIP = load_machine("groqrack").chip
RATE = feed_bytes_per_cycle(CHIP)


def product(*weights: int, ready: float = 1.0) -> Compute:
    """Return a product of one-byte weights on as many chips."""

    def asked(held: int) -> Work:
        return ProductWork(held, held, 1, 1, 16, 16, ready_bytes=int(ready * held))

    return compute("product", Unit.MATMUL, CHIP, asked, np.array(weights))


def ahead(operator: Compute, *free: tuple[int, int], now: int) -> list[list[int]]:
    """Return start, and cycles on each chip, of what is loaded in free cycles."""
    prefetch = WeightPrefetcher(CHIP)
    for start, end in free:
        prefetch.free(start, end)
    found = prefetch.product(operator, now)
    loaded = sum((one.cycles for one in found.loads), 0 * found.cycles)
    assert (operator.cycles - found.cycles).tolist() == loaded.tolist()
    return [[now - one.lead_cycles, *one.cycles.tolist()] for one in found.loads]


def test_weights_load_in_free_cycles_until_the_buffers_are_full() -> None:
    large = product(10**6)
    assert ahead(large, (100, 120), now=500) == [[100, 20]]
    assert ahead(large, (100, 120), (120, 130), now=500) == [[100, 30]]
    assert ahead(large, (100, 120), (300, 450), now=500) == [[100, 20], [300, 63]]
    assert ahead(large, (100, 300), (400, 500), now=500) == [[100, 83]]
    assert ahead(large, now=500) == []


def test_chips_with_less_to_load_have_done_so_earlier() -> None:
    found = ahead(product(10**6, 10 * RATE, 1), (100, 108), (200, 900), now=900)
    assert found == [[100, 8, 8, 0], [200, 75, 1, 0]]


def test_what_is_not_known_yet_waits_for_the_product() -> None:
    assert ahead(product(10**6, ready=0.0), (0, 500), now=500) == []
    half = ahead(product(100 * RATE, ready=0.5), (0, 500), now=500)
    assert half == [[0, 50]]


def test_adjacent_free_cycles_are_one_window_and_none_is_empty() -> None:
    prefetch = WeightPrefetcher(CHIP)
    for start, end in ((0, 10), (10, 20), (20, 20), (30, 30), (40, 45)):
        prefetch.free(start, end)
    assert list(prefetch.windows) == [(0, 20), (40, 45)]
    prefetch.restart()
    assert list(prefetch.windows) == []


def test_free_cycles_of_another_group_are_forgotten() -> None:
    prefetch = WeightPrefetcher(CHIP)
    prefetch.free(0, 500)
    prefetch.restart()
    assert prefetch.product(product(10**6), 500).loads == ()


@given(plan=...)
def test_loading_ahead_never_makes_a_token_later(plan: ShardingPlan) -> None:
    topology = select_topology(plan.strategy.chips)
    task = plan.task
    off = task.machine.with_settings({"chip.prefetch": False})
    bare = ShardingPlan(
        task._replace(machine=off), plan.strategy, plan.sequences, plan.stages
    )
    with_loads, without = compile_token(plan, topology), compile_token(bare, topology)
    assert with_loads.timeline.token_cycles <= without.timeline.token_cycles
    assert not without.timeline.loads
    assert with_loads.lower_bound_cycles <= without.lower_bound_cycles
    loaded = {entry.operator for entry in with_loads.timeline.loads}
    for number, entry in enumerate(with_loads.timeline.entries):
        if number in loaded:
            assert isinstance(entry, ComputeEntry)
            # Experts are chosen by the router, a whole sequence's keys are new.
            experts = {"gate_up", "down"} if task.model.experts > 1 else set()
            whole = {"scores", "values"} if task.model.structure.encoder else set()
            assert entry.name not in experts | whole


@pytest.mark.parametrize("tensor", [1, 2, 8])
def test_each_product_finds_what_was_loaded_for_it(
    compiled: Compile, tensor: int
) -> None:
    program = compiled(tensor, 2, chip__weight_feed_bytes_per_cycle=100).program
    code = program.instructions
    fed: dict[tuple[int, int], int] = {}
    wanted: dict[tuple[int, int], int] = {}
    for row in np.flatnonzero(code.kind >= 0).tolist():
        key = int(code.chip[row]), int(code.operator[row])
        work = program.kinds[code.kind[row]].work
        if isinstance(work, LoadWork):
            fed[key] = fed.get(key, 0) + work.fed_bytes
        elif code.opcode[row] == Opcode.MATMUL:
            assert isinstance(work, ProductWork)
            if work.preloaded_bytes:
                wanted[key] = work.preloaded_bytes
    assert fed == wanted != {}
