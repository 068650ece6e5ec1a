from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chip.functional_units import SliceInstruction, SliceOperation, SlicePort, inventory
from chip.lowering import lower
from chip.operator_cycles import (
    load_of,
    most_preload_rounds,
    preloaded,
    streaming_cycles,
    work_cycles,
)
from chip.operator_work import (
    LoadWork,
    LookupWork,
    ProductWork,
    Shape,
    VectorWork,
    Work,
    adding,
)
from chip.product_rounds import feed_bytes_per_cycle, rounds_of
from specs.chip import ChipSpec
from specs.machine import load_machine

CHIP = load_machine("groqrack").chip
THERE = inventory(CHIP)
# With and without each setting that moves rounds, buffers of three rounds at most.
CHIPS = [
    CHIP.model_copy(
        update={
            "overlap_load": overlap,
            "widening_operations": operations,
            "mxm_buffer_bytes": held * CHIP.round_bytes,
            "weight_feed_bytes_per_cycle": feed,
        }
    )
    for overlap, operations, held, feed in (
        (False, 0, 1, 10_240),
        (False, 2, 3, 10_240),
        (True, 0, 2, 10_240),
        (True, 3, 3, 4_000),
        (True, 1, 1, 100),
    )
]
chips = st.sampled_from(CHIPS)
lengths = st.lists(st.integers(1, 1500), min_size=1, max_size=2).map(tuple)
few = st.builds(Shape, lengths, lengths, st.integers(1, 2))
small = st.tuples(st.integers(1, 99))
many = st.builds(Shape, small, small, st.integers(1, 99))


@st.composite
def products(draw: st.DrawFn) -> tuple[ChipSpec, ProductWork]:
    """A chip, and a product of any mode and format, of which some rounds are loaded."""
    chip, shape = draw(chips), draw(few | many)
    bits, mode = draw(st.sampled_from([(4, 1), (8, 1), (16, 1), (8, 2), (16, 2)]))
    rows = draw(st.sampled_from([1, 2, 8, 512]))
    elements = rows * shape.matrices * sum(shape.columns)
    chain = VectorWork(
        elements,
        16,
        operations=draw(st.integers(1, 40)),
        passes=draw(st.integers(1, 2)),
        operands=draw(st.integers(0, 1)),
    )
    work = ProductWork(
        shape=shape,
        rows=rows,
        stored_bytes=-(-shape.elements * bits // 8),
        operand_bytes=mode,
        input_bytes=2 * rows * shape.matrices * sum(shape.inner),
        output_bytes=2 * elements,
        chain=draw(st.sampled_from([None, chain])),
    )
    work = work._replace(
        ready_rounds=draw(st.integers(0, rounds_of(chip, work).number))
    )
    ahead = draw(st.integers(0, most_preload_rounds(chip, work)))
    return chip, preloaded(chip, work, ahead)


@st.composite
def loads(draw: st.DrawFn) -> tuple[ChipSpec, LoadWork]:
    """A chip, and a load of some rounds of a product."""
    chip, work = draw(products())
    last = draw(st.integers(1, rounds_of(chip, work).number))
    return chip, load_of(chip, work, draw(st.integers(0, last - 1)), last)


vectors = st.builds(
    VectorWork,
    elements=st.integers(1, 100_000),
    element_bits=st.sampled_from([8, 16, 32]),
    operations=st.integers(1, 80),
    passes=st.integers(1, 3),
    operands=st.integers(1, 80),
    reorders=st.booleans(),
    reductions=st.integers(0, 3),
    readers=st.just(1),
    vectors=st.integers(1, 4),
)
lookups = st.builds(LookupWork, st.integers(1, 200_000), st.just(1))
works = products() | loads() | st.tuples(chips, vectors | lookups)
Case = tuple[ChipSpec, Work]


def moved(steps: tuple[SliceInstruction, ...], *ports: SlicePort) -> int:
    return sum(step.bytes for step in steps if step.port in ports)


def starts(steps: tuple[SliceInstruction, ...], *of: SliceOperation) -> list[int]:
    """Return the first cycle of each repeat of some operations."""
    return sorted(
        step.start_cycle + turn * step.interval_cycles
        for step in steps
        if step.step in of
        for turn in range(step.repeats)
    )


def is_on(step: SliceInstruction, cycle: int) -> bool:
    """Return whether some repeat of an instruction executes in a cycle."""
    since = cycle - step.start_cycle
    turn = min(step.repeats - 1, since // max(1, step.interval_cycles))
    return 0 <= since - turn * step.interval_cycles < step.duration_cycles and turn >= 0


@given(case=works)
def test_bytes_and_multiplications_are_those_of_the_closed_forms(case: Case) -> None:
    chip, work = case
    steps = lower(chip, work)
    assert moved(steps, SlicePort.MEM_READ) == work.read_bytes
    assert moved(steps, SlicePort.MEM_WRITE) == work.written_bytes
    assert sum(step.macs for step in steps) == work.macs


@given(case=works)
def test_what_slices_do_lasts_as_long_as_the_operator(case: Case) -> None:
    chip, work = case
    steps = lower(chip, work)
    assert min(step.start_cycle for step in steps) == 0
    if isinstance(work, LoadWork):
        reads = [step for step in steps if step.port is SlicePort.MEM_READ]
        assert max(step.end_cycle for step in reads) == work_cycles(chip, work)
    else:
        assert max(step.end_cycle for step in steps) == work_cycles(chip, work)


@given(case=works)
def test_no_slice_and_no_stream_is_used_twice_in_a_cycle(case: Case) -> None:
    chip, work = case
    steps = lower(chip, work)
    # Between two starts nothing is added: these are the cycles to look at. Rounds meet
    # in the same few ways again and again.
    together = {
        tuple(step for step in steps if is_on(step, cycle))
        for cycle in starts(steps, *SliceOperation)
    }
    for now in together:
        used = Counter(
            (step.port, unit)
            for step in now
            for unit in range(step.first, step.first + step.units)
        )
        assert max(used.values()) == 1
        assert all(unit < THERE.units[port] for port, unit in used)
        banks = Counter(
            (step.bank, unit)
            for step in now
            for unit in range(step.first, step.first + step.units)
            if step.bank >= 0
        )
        assert not banks or max(banks.values()) == 1
        assert sum(step.east for step in now) <= THERE.streams == 32
        assert sum(step.west for step in now) <= THERE.streams


@given(case=works)
def test_repeats_of_an_instruction_never_overlap(case: Case) -> None:
    for step in lower(*case):
        assert step.repeats == 1 or step.interval_cycles >= step.duration_cycles


@given(case=works)
def test_slices_move_no_more_than_their_width(case: Case) -> None:
    chip, work = case
    for step in lower(chip, work):
        cycles = step.repeats * step.duration_cycles
        if step.port in {SlicePort.MEM_READ, SlicePort.MEM_WRITE}:
            assert step.bytes <= 320 * step.units * cycles
            assert step.bytes <= chip.sram_bytes_per_cycle * cycles
        if step.port is SlicePort.MXM_LOAD:
            assert step.bytes <= feed_bytes_per_cycle(chip) * cycles


@given(case=products())
def test_every_round_is_loaded_installed_and_multiplied_in_turn(
    case: tuple[ChipSpec, ProductWork],
) -> None:
    chip, work = case
    steps, rounds = lower(chip, work), rounds_of(chip, work)
    ahead = work.preloaded_rounds
    at = {
        operation: starts(steps, operation)
        for operation in (
            SliceOperation.LOAD,
            SliceOperation.INSTALL,
            SliceOperation.MULTIPLY,
            SliceOperation.ACCUMULATE,
            SliceOperation.WRITE,
        )
    }
    loaded = [start + rounds.load_cycles for start in at[SliceOperation.LOAD]]
    installed = [start + 12 for start in at[SliceOperation.INSTALL]]
    multiplied = [
        start + rounds.multiply_cycles for start in at[SliceOperation.MULTIPLY]
    ]
    assert len(installed) == len(multiplied) == ahead + len(loaded) == rounds.number
    begins = at[SliceOperation.INSTALL]
    assert all(a <= b for a, b in zip(loaded, begins[ahead:], strict=True))
    assert installed == at[SliceOperation.MULTIPLY]
    assert all(a <= b for a, b in zip(multiplied, begins[1:], strict=False))
    if not chip.overlap_load:
        before = multiplied[max(0, ahead - 1) :]
        later = at[SliceOperation.LOAD][ahead == 0 :]
        assert all(a <= b for a, b in zip(before, later, strict=False))
    # The buffers hold what is loaded, from the first byte on, until it is installed.
    for cycle in at[SliceOperation.LOAD]:
        come = ahead + sum(start <= cycle for start in at[SliceOperation.LOAD])
        gone = sum(end <= cycle for end in installed)
        assert 0 <= come - gone <= chip.mxm_buffer_bytes // chip.round_bytes
    flow = [at[SliceOperation.MULTIPLY][0], *at[SliceOperation.ACCUMULATE]]
    flow += at[SliceOperation.WRITE]
    assert all(a < b for a, b in pairwise(flow))
    ends = [step.end_cycle for step in steps if step.step is SliceOperation.ACCUMULATE]
    assert max(ends) > max(multiplied)


def test_a_product_of_llama_2_70b_on_eight_chips_step_by_step() -> None:
    # Queries, keys and values of 1,280 rows on each chip; FP8 weights, FP16 vectors.
    shape = Shape((8192,), (1280,))
    work = ProductWork(shape, 1, shape.elements, 2, 16384, 2560, ready_rounds=52)
    # 26 x 4 tiles, two at once; 40 cycles to load, 12 to install, a row in two.
    assert streaming_cycles(CHIP, work) == 52 * (40 + 12 + 2) == 2808
    steps = lower(CHIP, preloaded(CHIP, work, 1))
    assert [(s.port.name, s.step.name, s.units, s.repeats) for s in steps] == [
        # 201,649 B of each round in 40 cycles.
        ("MEM_READ", "READ", 16, 51),
        ("MXM_LOAD", "LOAD", 4, 51),
        ("MEM_READ", "READ", 1, 1),
        ("MXM_INSTALL", "INSTALL", 4, 1),
        ("MXM_MULTIPLY", "MULTIPLY", 4, 1),
        ("MXM_INSTALL", "INSTALL", 4, 51),
        ("MXM_MULTIPLY", "MULTIPLY", 4, 51),
        ("MXM_ACCUMULATE", "ACCUMULATE", 4, 1),
        ("MEM_WRITE", "WRITE", 1, 1),
    ]
    assert steps[-1].end_cycle == 2808 - 40 + 230


@pytest.mark.parametrize(
    ("bits", "summands", "chains"), [(16, 13, 2), (16, 12, 1), (32, 6, 1), (32, 7, 2)]
)
def test_sums_of_more_vectors_than_streams_take_another_turn(
    bits: int, summands: int, chains: int
) -> None:
    # Of 64 streams 32 are for weights and 8 for results and ports: 24 are left.
    assert work_cycles(CHIP, adding(320, bits, summands)) == 70 + chains


def test_a_chain_of_one_reads_permutes_transposes_and_writes() -> None:
    steps = lower(CHIP, VectorWork(320, 16, operations=6, operands=4, reorders=True))
    assert [step.step.name for step in steps] == [
        "READ",
        "PERMUTE",
        "CHAIN",
        "TRANSPOSE",
        "WRITE",
    ]
    assert [step.units for step in steps] == [8, 1, 1, 1, 2]


def test_each_pass_ends_with_its_share_of_the_reductions() -> None:
    # A softmax over 320 scores: the largest, the sum, the division. Nine steps of 30
    # cycles reduce the lanes, behind the first two of three passes.
    steps = lower(CHIP, VectorWork(320, 16, operations=4, passes=3, reductions=2))
    assert [step.step.name for step in steps] == [
        *["READ", "CHAIN", "SHIFT", "WRITE"] * 2,
        *["READ", "CHAIN", "WRITE"],
    ]
    assert starts(steps, SliceOperation.READ) == [0, 71 + 270, 2 * (71 + 270)]
    shifts = [step for step in steps if step.step is SliceOperation.SHIFT]
    assert [step.duration_cycles for step in shifts] == [270, 270]
    # A sum of FP32 in each lane.
    assert {step.bytes for step in shifts} == {320 * 4}


def test_a_load_reads_feeds_and_widens_round_after_round(small_chip: ChipSpec) -> None:
    work = LoadWork(rounds=2, round_cycles=30, stored_bytes=250, widening=True)
    assert [
        (s.step, s.start_cycle, s.duration_cycles, s.bytes, s.repeats)
        for s in lower(small_chip, work)
    ] == [
        (SliceOperation.READ, 0, 30, 250, 2),
        # A sixth of the fill later, padded.
        (SliceOperation.LOAD, 5, 30, 800, 2),
        (SliceOperation.WIDEN, 5, 30, 250, 2),
    ]
    plain = lower(small_chip, work._replace(widening=False))
    assert [step.step for step in plain] == [SliceOperation.READ, SliceOperation.LOAD]


@given(case=products())
def test_a_chip_with_more_streams_than_slices_reads_from_what_slices_it_has(
    case: tuple[ChipSpec, ProductWork],
) -> None:
    wide = load_machine("lpx").chip.model_copy(
        update={"weight_feed_bytes_per_cycle": 10**6}
    )
    bare = preloaded(wide, case[1], 0)
    for step in lower(wide, bare):
        if step.port is SlicePort.MEM_READ:
            assert step.first + step.units <= wide.mem_slices == 160


def test_the_chip_has_what_the_paper_says() -> None:
    assert THERE.units[SlicePort.MEM_READ] == 88
    assert THERE.units[SlicePort.MXM_MULTIPLY] == 4
    assert THERE.stream_bytes == 320
    assert THERE.buffer_bytes == 4 * 320 * 320
    assert 2 * THERE.streams * THERE.stream_bytes == CHIP.stream_bytes_per_cycle
    both = THERE.units[SlicePort.MEM_READ] + THERE.units[SlicePort.MEM_WRITE]
    assert both * THERE.stream_bytes == CHIP.sram_bytes_per_cycle


def test_a_chip_of_a_short_pipeline_lowers_alike() -> None:
    short: ChipSpec = CHIP.model_copy(update={"matmul_fill_cycles": 3})
    work = ProductWork(Shape((10,), (100,)), 1, 1000, 1, 20, 20, ready_rounds=1)
    # One round of one row, of which nothing or the load is done ahead.
    for ahead, cycles in ((0, 40 + 12 + 1), (1, 12 + 1)):
        loaded = preloaded(short, work, ahead)
        ends = [step.end_cycle for step in lower(short, loaded)]
        assert max(ends) == work_cycles(short, loaded) == 3 + cycles
