from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chip.operator_work import LoadWork, ProductWork, Shape, Work
from chip.program import Opcode
from compiler.compile_decode import compile_token
from compiler.ir.schedule import Schedule
from compiler.ir.timeline import ComputeEntry
from compiler.scheduling.weight_prefetch import WeightPrefetcher
from compiler.verify import verify
from sharding.operators.operators import Compute, Unit, compute
from sharding.planner.plan import ShardingPlan
from specs.chip import ChipSpec
from specs.machine import load_machine
from topologies.selection import select_topology

Compile = Callable[..., Schedule]
# Buffers of three rounds, each of which loads in 40 cycles.
CHIP = load_machine("groqrack").chip.model_copy(update={"mxm_buffer_bytes": 1_228_800})
WIDENS = CHIP.model_copy(update={"widening_operations": 1})


def product(
    *rounds: int, ready: int = 9, rows: int = 1, chip: ChipSpec = CHIP
) -> Compute:
    """Return a product of INT8 rows on as many chips, of so many rounds."""

    def asked(number: int) -> Work:
        shape = Shape((320,), (1280 * number,))
        known = min(number, ready)
        return ProductWork(shape, rows, shape.elements, 1, 320, 640, ready_rounds=known)

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
    return [[now - one.lead_cycles, *one.cycles.tolist()] for one in found.loads]


def test_whole_rounds_load_in_free_cycles_until_the_buffers_are_full() -> None:
    large = product(9)
    assert ahead(large, (100, 139), now=500) == []
    assert ahead(large, (100, 179), now=500) == [[100, 40]]
    assert ahead(large, (100, 140), (140, 180), now=500) == [[100, 80]]
    # A round does not go on in the next free cycles.
    assert ahead(large, (100, 179), (200, 239), (300, 350), now=500) == [
        [100, 40],
        [300, 40],
    ]
    assert ahead(large, (100, 300), (400, 500), now=500) == [[100, 120]]
    assert ahead(large, now=500) == []


def test_chips_with_less_to_load_have_done_so_earlier() -> None:
    found = ahead(product(9, 2, 1), (100, 140), (200, 900), now=900)
    assert found == [[100, 40, 40, 40], [200, 80, 40, 0]]


def test_what_is_not_known_yet_waits_for_the_product() -> None:
    assert ahead(product(9, ready=0), (0, 500), now=500) == []
    assert ahead(product(9, ready=2), (0, 500), now=500) == [[0, 80]]


def test_a_load_that_is_hidden_by_rows_needs_one_round_ahead_only() -> None:
    hides = CHIP.model_copy(update={"overlap_load": True})
    slow = product(9, rows=40, chip=hides)
    assert ahead(slow, (0, 500), now=500, chip=hides) == [[0, 40]]


def test_a_vector_operator_leaves_its_cycles_unless_weights_are_widened() -> None:
    for chip, windows in ((CHIP, [(70, 90)]), (WIDENS, [])):
        prefetch = WeightPrefetcher(chip)
        prefetch.after(Unit.VECTOR, 70, 90)
        prefetch.after(Unit.LOOKUP, 90, 95)
        assert list(prefetch.windows) == windows


def test_a_product_leaves_the_cycles_in_which_it_drains() -> None:
    # All of its fill; or, behind a chain on the VXM, the last part of six and, since
    # weights come to the VXM a part later, one more.
    for chip, left in ((CHIP, 230), (WIDENS, 2 * 38)):
        prefetch = WeightPrefetcher(chip)
        prefetch.free(0, 50)
        prefetch.after(Unit.MATMUL, 50, 1_000)
        assert list(prefetch.windows) == [(1_000 - left, 1_000)]


def test_weights_have_passed_the_vxm_when_free_cycles_end() -> None:
    # A part of the fill, 38 cycles, after SRAM.
    narrow = product(9, chip=WIDENS)
    assert ahead(narrow, (100, 177), now=500, chip=WIDENS) == []
    assert ahead(narrow, (100, 178), now=500, chip=WIDENS) == [[100, 40]]


def test_free_cycles_bound_what_a_product_saves() -> None:
    operator = product(9)
    prefetch = WeightPrefetcher(CHIP)
    prefetch.free(0, 70)
    # Fewer than the 120 of three rounds, more than the 40 of the one that fits.
    assert prefetch.least_cycles(operator) == operator.cycles - 70
    assert prefetch.product(operator, 70).cycles == operator.cycles - 40
    prefetch.free(70, 900)
    assert prefetch.least_cycles(operator) == operator.cycles - 120


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


@settings(max_examples=20)
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
    for entry in with_loads.timeline.entries:
        if entry.operator in loaded:
            assert isinstance(entry, ComputeEntry)
            # Experts are chosen by the router, a whole sequence's keys are new.
            experts = {"gate_up", "down"} if task.model.experts > 1 else set()
            whole = {"scores", "values"} if task.model.structure.encoder else set()
            assert entry.name not in experts | whole


def small_tiles(feed: int = 100, **rest: object) -> dict[str, Any]:
    """Return settings by which a small model takes many rounds of 4 x 16 x 16 B."""
    return {
        "chip__lanes": 16,
        "chip__mxm_int8_macs_per_cycle": 4 * 16 * 16,
        "chip__mxm_fp16_macs_per_cycle": 16 * 16,
        "chip__stream_bytes_per_cycle": 64 * 16,
        "chip__weight_feed_bytes_per_cycle": feed,
        **rest,
    }


@pytest.mark.parametrize("tensor", [1, 2, 8])
def test_each_product_finds_what_was_loaded_for_it(
    compiled: Compile, tensor: int
) -> None:
    program = compiled(tensor, 2, **small_tiles()).program
    code = program.instructions
    found: dict[tuple[int, int], tuple[int, int]] = {}
    wanted: dict[tuple[int, int], tuple[int, int]] = {}
    for row in np.flatnonzero(code.kind >= 0).tolist():
        key = int(code.chip[row]), int(code.operator[row])
        work = program.kinds[code.kind[row]].work
        if isinstance(work, LoadWork):
            rounds, size = found.get(key, (0, 0))
            found[key] = rounds + work.rounds, size + work.stored_bytes
        elif code.opcode[row] == Opcode.MATMUL:
            assert isinstance(work, ProductWork)
            if work.preloaded_rounds:
                wanted[key] = work.preloaded_rounds, work.preloaded_bytes
    assert found == wanted != {}


@st.composite
def round_settings(draw: st.DrawFn) -> dict[str, Any]:
    """Settings of feed, buffers, overlap, mode and widening."""
    # From a byte a cycle to 20,480.
    feed = int(2 ** draw(st.floats(0, 14.33)))
    return small_tiles(
        feed,
        chip__overlap_load=draw(st.booleans()),
        chip__mxm_buffer_bytes=draw(st.integers(1, 3)) * 1024,
        chip__operand_bytes=draw(st.sampled_from([1, 2, "auto"])),
        chip__widening_operations=draw(st.sampled_from([0, 0, 1, 4])),
    )


@settings(max_examples=25)
@given(settings=round_settings(), sequences=st.sampled_from([1, 3]))
def test_what_loads_ahead_holds_at_any_feed_rate(
    compiled: Compile, settings: dict[str, Any], sequences: int
) -> None:
    schedule = compiled(2, 2, sequences=sequences, keep=False, **settings)
    machine = schedule.plan.task.machine
    verify(schedule.program, schedule.topology, machine)
    most = max(
        kind.work.preloaded_rounds
        for kind in schedule.program.kinds
        if isinstance(kind.work, ProductWork)
    )
    assert most <= machine.chip.mxm_buffer_bytes // 1024
    # A round of 1,024 B loads while chips exchange, for a thousand cycles and more.
    assert most > 0 or settings["chip__weight_feed_bytes_per_cycle"] < 2
