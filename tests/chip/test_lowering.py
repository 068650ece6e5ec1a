from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chip.functional_units import SliceInstruction, SliceOperation, SlicePort, inventory
from chip.lowering import lower
from chip.operator_cycles import (
    feed_bytes_per_cycle,
    least_cycles,
    most_preload_cycles,
    preloaded,
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
from chip.product_lowering import streaming_cycles
from specs.machine import ChipSpec, load_machine

CHIP = load_machine("groqrack").chip
THERE = inventory(CHIP)
RATE = feed_bytes_per_cycle(CHIP)


@st.composite
def products(draw: st.DrawFn) -> ProductWork:
    """A matrix of any format, some of which was loaded ahead of the product."""
    inputs, outputs = draw(st.integers(1, 9000)), draw(st.integers(1, 9000))
    bits, width_bytes = draw(st.sampled_from([(4, 1), (8, 1), (8, 2), (16, 2)]))
    batch = draw(st.sampled_from([1, 2, 8, 512]))
    weights = inputs * outputs
    known = draw(st.integers(0, weights)) if draw(st.booleans()) else weights
    work = ProductWork(
        weights=weights,
        stored_bytes=-(-weights * bits // 8),
        operand_bytes=width_bytes,
        batch=batch,
        input_bytes=2 * inputs * batch,
        output_bytes=2 * outputs * batch,
        ready_bytes=known * width_bytes,
    )
    cycles = draw(st.integers(0, most_preload_cycles(CHIP, work)))
    return preloaded(CHIP, work, cycles)


@st.composite
def tiled_products(draw: st.DrawFn) -> ProductWork:
    """Matrices with vectors of their own, in tiles, with a chain on what they give."""
    shape = draw(
        st.builds(Shape, st.integers(1, 2000), st.integers(1, 2000), st.integers(1, 3))
        | st.builds(Shape, st.integers(1, 99), st.integers(1, 99), st.integers(1, 99))
    )
    rows, width_bytes = draw(st.integers(1, 3000)), draw(st.sampled_from([1, 2, 4]))
    weights = shape.inner * shape.columns * shape.matrices
    elements = rows * shape.columns * shape.matrices
    chain = VectorWork(elements, 16, operations=draw(st.integers(1, 40)))
    work = ProductWork(
        weights=weights,
        stored_bytes=-(-weights * width_bytes // draw(st.sampled_from([1, 2]))),
        operand_bytes=width_bytes,
        batch=rows,
        input_bytes=2 * rows * shape.inner * shape.matrices,
        output_bytes=2 * elements,
        ready_bytes=draw(st.sampled_from([0, weights * width_bytes])),
        shape=shape,
        chain=draw(st.sampled_from([None, chain, chain._replace(operands=0)])),
    )
    cycles = draw(st.integers(0, most_preload_cycles(CHIP, work)))
    return preloaded(CHIP, work, cycles)


chains = st.builds(
    VectorWork,
    elements=st.integers(1, 100_000),
    element_bits=st.sampled_from([8, 16, 32]),
    operations=st.integers(1, 80),
    passes=st.integers(1, 3),
    operands=st.integers(1, 80),
    reorders=st.booleans(),
)
loads = st.integers(1, CHIP.mxm_buffer_bytes).flatmap(
    lambda fed: st.builds(LoadWork, st.just(fed), st.integers(-(-fed // 2), fed))
)
works = (
    products()
    | tiled_products()
    | chains
    | loads
    | st.builds(LookupWork, st.integers(1, 200_000))
)


def moved(steps: tuple[SliceInstruction, ...], *ports: SlicePort) -> int:
    return sum(step.bytes for step in steps if step.port in ports)


def end(step: SliceInstruction) -> int:
    return step.start_cycle + step.duration_cycles


@given(work=works)
def test_bytes_and_multiplications_are_those_of_the_closed_forms(work: Work) -> None:
    steps = lower(CHIP, work)
    assert moved(steps, SlicePort.MEM_READ) == work.read_bytes
    assert moved(steps, SlicePort.MEM_WRITE) == work.written_bytes
    assert sum(step.macs for step in steps) == work.macs


@given(work=works)
def test_what_slices_do_lasts_as_long_as_the_operator(work: Work) -> None:
    steps = lower(CHIP, work)
    assert min(step.start_cycle for step in steps) == 0
    if isinstance(work, LoadWork):
        reads = [step for step in steps if step.port is SlicePort.MEM_READ]
        assert max(map(end, reads)) == work_cycles(CHIP, work)
    else:
        assert max(map(end, steps)) == work_cycles(CHIP, work)


@given(work=works)
def test_no_slice_and_no_stream_is_used_twice_in_a_cycle(work: Work) -> None:
    steps = lower(CHIP, work)
    # Between two starts nothing is added: these are the cycles to look at.
    for cycle in {step.start_cycle for step in steps}:
        now = [step for step in steps if step.start_cycle <= cycle < end(step)]
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


@given(work=works)
def test_slices_move_no_more_than_their_width(work: Work) -> None:
    for step in lower(CHIP, work):
        if step.port in {SlicePort.MEM_READ, SlicePort.MEM_WRITE}:
            assert step.bytes <= 320 * step.units * step.duration_cycles
            assert step.bytes <= CHIP.sram_bytes_per_cycle * step.duration_cycles
        if step.port is SlicePort.MXM_LOAD:
            assert step.bytes <= RATE * step.duration_cycles


@given(work=products())
def test_data_comes_to_a_slice_after_it_has_left_the_one_before(
    work: ProductWork,
) -> None:
    first = {
        step.step: step for step in lower(CHIP, work) if step.start_cycle or step.macs
    }
    order = [
        SliceOperation.LOAD,
        SliceOperation.INSTALL,
        SliceOperation.MULTIPLY,
        SliceOperation.ACCUMULATE,
        SliceOperation.WRITE,
    ]
    there = [first[step] for step in order if step in first]
    assert [s.start_cycle for s in there] == sorted(s.start_cycle for s in there)
    assert [end(s) for s in there] == sorted(map(end, there))


@given(work=products() | tiled_products())
def test_a_cycle_of_loading_ahead_saves_a_cycle_as_long_as_the_feed_decides(
    work: ProductWork,
) -> None:
    bare = work._replace(preloaded_bytes=0)
    most = most_preload_cycles(CHIP, bare)
    taken = [
        work_cycles(CHIP, preloaded(CHIP, bare, cycles)) for cycles in range(most + 1)
    ]
    saved = [a - b for a, b in pairwise(taken)]
    # Waiting for more to be loaded never pays: it saves no more than it lasts.
    assert set(saved) <= {1}
    assert least_cycles(CHIP, bare) == taken[-1]
    assert most * RATE <= min(CHIP.mxm_buffer_bytes, bare.ready_bytes)


@given(work=tiled_products())
def test_every_set_of_tiles_is_loaded_installed_and_multiplied_in_turn(
    work: ProductWork,
) -> None:
    steps = lower(CHIP, work)
    ahead = work.preloaded_bytes
    loads = [step for step in steps if step.step is SliceOperation.LOAD]
    installs = [step for step in steps if step.step is SliceOperation.INSTALL]
    multiplies = [step for step in steps if step.step is SliceOperation.MULTIPLY]
    assert sum(step.bytes for step in loads) == work.fed_bytes - ahead
    assert sum(step.bytes for step in installs) == work.fed_bytes
    events = {step.start_cycle for step in loads + installs}
    events |= {end(step) for step in loads + installs}
    for cycle in sorted(events):
        done = [
            sum(
                step.bytes
                * min(max(cycle - step.start_cycle, 0), step.duration_cycles)
                / step.duration_cycles
                for step in each
            )
            for each in (loads, installs)
        ]
        assert -1 <= ahead + done[0] - done[1] <= THERE.buffer_bytes + 1
    if work.batch == 1:
        assert len(multiplies) == 1
        return
    depth, at_once = {1: (320, 4), 2: (160, 2), 4: (80, 4)}[work.operand_bytes]
    assert work.shape is not None
    tiles = -(-work.shape.inner // depth) * -(-work.shape.columns // 320)
    assert len(multiplies) == -(-work.shape.matrices * tiles // at_once)
    assert {step.duration_cycles for step in multiplies} == {work.batch}
    # Those of a byte too little are left out.
    if len(installs) == len(multiplies):
        assert all(
            end(a) <= b.start_cycle for a, b in zip(installs, multiplies, strict=True)
        )


@given(work=products())
def test_without_prefetch_nothing_is_loaded_ahead(work: ProductWork) -> None:
    off = CHIP.model_copy(update={"prefetch": False})
    bare = work._replace(preloaded_bytes=0)
    assert most_preload_cycles(off, bare) == 0
    assert least_cycles(off, bare) == work_cycles(off, bare) == work_cycles(CHIP, bare)


def test_a_product_of_llama_2_70b_on_eight_chips_step_by_step() -> None:
    # Queries, keys and values of 1,280 rows on each chip, FP8.
    work = ProductWork(8192 * 1280, 8192 * 1280, 1, 1, 16384, 2560, 8192 * 1280)
    length = -(-8192 * 1280 // 4885)
    assert streaming_cycles(CHIP, work) == length == 2147
    steps = lower(CHIP, preloaded(CHIP, work, 83))
    assert [(s.port.name, s.step.name, s.units) for s in steps] == [
        ("MEM_READ", "READ", 16),
        ("MEM_READ", "READ", 1),
        ("MXM_LOAD", "LOAD", 4),
        ("MXM_INSTALL", "INSTALL", 4),
        ("MXM_INSTALL", "INSTALL", 4),
        ("MXM_MULTIPLY", "MULTIPLY", 4),
        ("MXM_ACCUMULATE", "ACCUMULATE", 4),
        ("MEM_WRITE", "WRITE", 1),
    ]
    assert {s.duration_cycles for s in steps if s.step is SliceOperation.LOAD} == {
        length - 83
    }
    assert end(steps[-1]) == length - 83 + 241


@pytest.mark.parametrize(
    ("bits", "summands", "chains"), [(16, 17, 2), (16, 16, 1), (32, 10, 1), (32, 11, 2)]
)
def test_sums_of_more_vectors_than_streams_take_another_turn(
    bits: int, summands: int, chains: int
) -> None:
    # Of 64 streams 16 are for weights and 8 for results and ports: 40 are left.
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


@given(work=products())
def test_a_chip_with_more_streams_than_slices_reads_from_what_slices_it_has(
    work: ProductWork,
) -> None:
    wide = load_machine("lpx").chip.model_copy(
        update={"weight_feed_bytes_per_cycle": 10**6}
    )
    bare = work._replace(preloaded_bytes=0)
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


def test_a_chip_with_other_numbers_lowers_alike() -> None:
    small: ChipSpec = CHIP.model_copy(update={"matmul_fill_cycles": 3})
    work = ProductWork(1000, 1000, 1, 1, 20, 20, 1000)
    # Too short a fill leaves no time to install what was loaded ahead.
    assert most_preload_cycles(small, work) == 0
    assert max(map(end, lower(small, work))) == work_cycles(small, work) == 4
