from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given

from chip.operator_work import LoadWork, ProductWork, Shape, Work
from chip.program import Opcode
from compiler.compile_decode import compile_token
from compiler.ir.schedule import Schedule
from compiler.ir.timeline import ComputeEntry
from compiler.scheduling.weight_prefetch import WeightPrefetcher
from sharding.operators.operators import Compute, Unit, compute
from sharding.planner.plan import ShardingPlan
from specs.machine import ChipSpec, load_machine
from topologies.selection import select_topology

Compile = Callable[..., Schedule]
CHIP = load_machine("groqrack").chip
# A round of 4 x 320 x 320 B at 10,240 B a cycle.
ROUND_CYCLES = 40
ROOMY = CHIP.model_copy(update={"mxm_buffer_bytes": 3 * CHIP.round_bytes})


def product(
    *rounds: int, ready: int | None = None, rows: int = 1, chip: ChipSpec = CHIP
) -> Compute:
    """Return a product of so many rounds of four INT8 tiles on as many chips."""

    def asked(number: int) -> Work:
        size = number * chip.round_bytes
        shape = Shape((320,), (1280 * number,))
        known = number if ready is None else ready
        return ProductWork(shape, rows, size, 1, 16, 16, ready_rounds=known)

    return compute("product", Unit.MATMUL, chip, asked, np.array(rounds))


def ahead(
    operator: Compute, *free: tuple[int, int], now: int, chip: ChipSpec = CHIP
) -> list[list[int]]:
    """Return start, and cycles on each chip, of what is loaded in free cycles."""
    prefetch = WeightPrefetcher(chip)
    for start, end in free:
        prefetch.free(start, end)
    found = prefetch.product(operator, now)
    loaded = sum((one.cycles for one in found.loads), 0 * found.cycles)
    assert (operator.cycles - found.cycles).tolist() == loaded.tolist()
    assert (prefetch.least_cycles(operator) <= found.cycles).all()
    return [[now - one.lead_cycles, *one.cycles.tolist()] for one in found.loads]


def test_a_round_loads_in_free_cycles_if_it_fits_as_a_whole() -> None:
    large = product(9)
    assert ahead(large, (100, 139), now=500) == []
    assert ahead(large, (100, 120), (120, 140), now=500) == [[100, ROUND_CYCLES]]
    assert ahead(large, (100, 130), (300, 450), now=500) == [[300, ROUND_CYCLES]]
    assert ahead(large, now=500) == []


def test_rounds_load_until_the_buffers_are_full() -> None:
    large = product(9, chip=ROOMY)
    assert ahead(large, (0, 500), now=500, chip=ROOMY) == [[0, 120]]
    windows = (0, 85), (100, 500)
    assert ahead(large, *windows, now=500, chip=ROOMY) == [[0, 80], [100, 40]]


def test_chips_with_less_to_load_have_done_so_earlier() -> None:
    several = product(9, 1, 2, chip=ROOMY)
    found = ahead(several, (100, 145), (200, 900), now=900, chip=ROOMY)
    assert found == [[100, 40, 40, 40], [200, 80, 0, 40]]


def test_what_is_not_known_yet_waits_for_the_product() -> None:
    assert ahead(product(9, ready=0), (0, 500), now=500) == []
    half = product(9, ready=2, chip=ROOMY)
    assert ahead(half, (0, 500), now=500, chip=ROOMY) == [[0, 80]]


def test_a_load_that_is_hidden_by_rows_needs_one_round_ahead_only() -> None:
    hides = ROOMY.model_copy(update={"overlap_load": True})
    slow = product(9, rows=ROUND_CYCLES, chip=hides)
    assert ahead(slow, (0, 500), now=500, chip=hides) == [[0, ROUND_CYCLES]]


def test_vector_operators_leave_no_cycles_while_the_vxm_widens() -> None:
    widening = CHIP.model_copy(update={"widening_operations": 1})
    for chip, windows in ((CHIP, [(0, 100)]), (widening, [])):
        prefetch = WeightPrefetcher(chip)
        prefetch.after(Unit.VECTOR, 0, 100)
        assert list(prefetch.windows) == windows


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
    assert prefetch.product(product(9), 500).loads == ()


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
    program = compiled(tensor, 2).program
    code = program.instructions
    fed: dict[tuple[int, int], int] = {}
    wanted: dict[tuple[int, int], int] = {}
    for row in np.flatnonzero(code.kind >= 0).tolist():
        key = int(code.chip[row]), int(code.operator[row])
        work = program.kinds[code.kind[row]].work
        if isinstance(work, LoadWork):
            fed[key] = fed.get(key, 0) + work.rounds
        elif code.opcode[row] == Opcode.MATMUL:
            assert isinstance(work, ProductWork)
            if work.preloaded_rounds:
                wanted[key] = work.preloaded_rounds
    assert fed == wanted != {}
