from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chip.lowering import lower
from chip.mxm_tiling import tiling
from chip.operator_cycles import (
    chain_cycles,
    chains_of,
    least_cycles,
    load_cycles,
    load_of,
    lookup_cycles,
    most_preload_rounds,
    operand_streams,
    pass_cycles,
    preloaded,
    product_cycles,
    reduction_cycles,
    streaming_cycles,
    vector_cycles,
    work_cycles,
)
from chip.operator_work import LoadWork, LookupWork, ProductWork, Shape, VectorWork
from chip.product_rounds import rounds_of
from specs.chip import ChipSpec
from specs.machine import load_machine

CHIP = load_machine("groqrack").chip
OVERLAP = CHIP.model_copy(update={"overlap_load": True})
CHIPS = st.sampled_from([CHIP, OVERLAP])
sizes = st.integers(1, 10**9)
# Six tiles of 10 x 10: two rounds of INT8 that load in 20 cycles, install in 3, and
# multiply five rows.
PRODUCT = ProductWork(
    shape=Shape((25,), (20,)),
    rows=5,
    stored_bytes=500,
    operand_bytes=1,
    input_bytes=125,
    output_bytes=100,
    ready_rounds=2,
)
# Hidden size, batch, and cycles of the program that Groq has published (gapi).
LSTM_STEPS = [
    (512, 1, 670),
    (512, 3, 718),
    (512, 6, 790),
    (512, 8, 838),
    (512, 32, 1413),
    (1024, 1, 1958),
    (1024, 3, 2086),
    (1024, 6, 2278),
    (1024, 8, 2406),
    (1024, 32, 3941),
]


@pytest.mark.parametrize(("size", "batch", "published"), LSTM_STEPS)
def test_an_lstm_step_takes_as_long_as_published(
    size: int, batch: int, published: int
) -> None:
    # INT8, input and hidden state of one size: two parts of the input vectors, four
    # gates, two passes over them.
    step = ProductWork(
        shape=Shape((size, size), (size,) * 4),
        rows=batch,
        stored_bytes=8 * size**2,
        operand_bytes=1,
        input_bytes=2 * size * batch,
        output_bytes=2 * 4 * size * batch,
        chain=VectorWork(
            4 * size * batch, 16, operations=11, passes=2, vectors=4 * batch
        ),
    )
    vectors = -(-size // 320)
    # Eight matrices of `vectors` x `vectors` tiles, four tiles a round. A round loads
    # in 409,600 / 10,240 = 40 cycles, and 12 more pass before its rows.
    rounds = 2 * vectors**2
    law = 230 + rounds * (40 + 12 + batch) + 8 * vectors * batch
    assert work_cycles(CHIP, step) == law
    assert max(each.end_cycle for each in lower(CHIP, step)) == law
    assert abs(law - published) <= 1


def cycles(chip: ChipSpec, **changes: Any) -> int:
    return product_cycles(chip, PRODUCT._replace(**changes))


def test_rounds_load_install_and_multiply_one_after_the_other(
    small_chip: ChipSpec,
) -> None:
    assert streaming_cycles(small_chip, PRODUCT) == 2 * (20 + 3 + 5)
    assert cycles(small_chip) == work_cycles(small_chip, PRODUCT) == 30 + 56


def test_a_wide_operand_takes_more_rounds_of_twice_the_cycles(
    small_chip: ChipSpec,
) -> None:
    # Six tiles, two at once.
    assert cycles(small_chip, operand_bytes=2) == 30 + 3 * (20 + 3 + 10)


def test_a_round_loads_behind_the_multiplication_of_the_one_before(
    small_chip: ChipSpec,
) -> None:
    chip = small_chip.model_copy(update={"overlap_load": True})
    # 20 cycles to load the first; its 5 rows take less than the load of the second.
    assert cycles(chip) == 30 + 20 + (3 + 20) + (3 + 5)
    assert cycles(chip, rows=50) == 30 + 20 + (3 + 50) + (3 + 50)


def test_many_vectors_of_a_narrow_product_take_half_of_the_streams(
    small_chip: ChipSpec,
) -> None:
    # 56 cycles of rounds; of 400 B a cycle 200 are for vectors.
    taken = [cycles(small_chip, input_bytes=size) for size in (11_100, 11_101, 19_900)]
    assert taken == [30 + 56, 30 + 57, 30 + 100]


def test_sram_decides_where_it_is_slower_than_the_feed(small_chip: ChipSpec) -> None:
    slow = small_chip.model_copy(update={"sram_bytes_per_cycle": 10})
    assert cycles(slow) == 30 + 2 * (40 + 3 + 5)


def test_preloaded_rounds_are_installed_and_multiplied_alone(
    small_chip: ChipSpec,
) -> None:
    taken = [
        product_cycles(small_chip, preloaded(small_chip, PRODUCT, rounds))
        for rounds in (0, 1, 2)
    ]
    assert taken == [30 + 56, 30 + 36, 30 + 16]


def test_a_preloaded_share_of_the_matrix_is_not_read_again(
    small_chip: ChipSpec,
) -> None:
    assert preloaded(small_chip, PRODUCT, 1) == PRODUCT._replace(
        preloaded_rounds=1, preloaded_bytes=250
    )


@pytest.mark.parametrize(
    ("chip", "work", "rounds"),
    [
        pytest.param({}, {}, 2, id="buffers of two rounds"),
        pytest.param({"mxm_buffer_bytes": 799}, {}, 1, id="buffers of one"),
        pytest.param({}, {"ready_rounds": 1}, 1, id="the rest is not there yet"),
        pytest.param({}, {"rows": 0}, 0, id="nothing to multiply"),
        pytest.param({"prefetch": False}, {}, 0, id="no prefetch"),
        pytest.param({"overlap_load": True}, {}, 2, id="slower than it multiplies"),
        pytest.param({"overlap_load": True}, {"rows": 20}, 1, id="hidden otherwise"),
    ],
)
def test_what_is_ready_and_fits_is_loaded_ahead(
    small_chip: ChipSpec, chip: dict[str, Any], work: dict[str, Any], rounds: int
) -> None:
    changed = small_chip.model_copy(update=chip)
    assert most_preload_rounds(changed, PRODUCT._replace(**work)) == rounds


def test_a_load_takes_its_rounds_from_the_first_to_the_last(
    small_chip: ChipSpec,
) -> None:
    # 500 B in two rounds.
    second = load_of(small_chip, PRODUCT, 1, 2)
    assert second == LoadWork(rounds=1, round_cycles=20, stored_bytes=250)
    both = load_of(small_chip, PRODUCT, 0, 2)
    assert both == LoadWork(rounds=2, round_cycles=20, stored_bytes=500)
    assert load_cycles(both) == work_cycles(small_chip, both) == 40


def test_a_load_of_narrow_weights_takes_the_vxm(small_chip: ChipSpec) -> None:
    chip = small_chip.model_copy(update={"widening_operations": 3})
    narrow = PRODUCT._replace(stored_bytes=250)
    # 400 weights of three operations each on 40 ALUs.
    assert load_of(chip, narrow, 0, 1) == LoadWork(
        rounds=1, round_cycles=30, stored_bytes=125, widening=True
    )


parts = st.lists(st.integers(1, 3000), min_size=1, max_size=3).map(tuple)


@st.composite
def products(draw: st.DrawFn) -> ProductWork:
    shape = Shape(draw(parts), draw(parts), draw(st.integers(1, 3)))
    rows, mode = draw(st.integers(1, 512)), draw(st.sampled_from([1, 2]))
    bits = draw(st.sampled_from([4, 8, 16]))
    return ProductWork(
        shape=shape,
        rows=rows,
        stored_bytes=-(-shape.elements * bits // 8),
        operand_bytes=mode,
        input_bytes=2 * rows * shape.matrices * sum(shape.inner),
        output_bytes=2 * rows * shape.matrices * sum(shape.columns),
        ready_rounds=draw(st.integers(0, 3)),
    )


@given(chip=CHIPS, work=products(), more=st.integers(0, 1000))
def test_more_of_anything_never_makes_a_product_faster(
    chip: ChipSpec, work: ProductWork, more: int
) -> None:
    shape = work.shape
    wider = shape.columns[0] + more
    taken = product_cycles(chip, work)
    for grown in (
        work._replace(rows=work.rows + more),
        work._replace(input_bytes=work.input_bytes + more),
        work._replace(shape=shape._replace(inner=(*shape.inner, more))),
        work._replace(shape=shape._replace(columns=(*shape.columns[1:], wider))),
        work._replace(shape=shape._replace(matrices=shape.matrices + more)),
    ):
        assert product_cycles(chip, grown) >= taken


@given(chip=CHIPS, work=products())
def test_a_product_is_never_below_the_roofs_of_the_chip(
    chip: ChipSpec, work: ProductWork
) -> None:
    taken = streaming_cycles(chip, work)
    wide = work.operand_bytes > 1
    peak = chip.mxm_fp16_macs_per_cycle if wide else chip.mxm_int8_macs_per_cycle
    assert taken * peak >= work.macs
    assert taken * chip.weight_feed_bytes_per_cycle >= (
        work.weights * work.operand_bytes
    )
    vectors = work.input_bytes + work.output_bytes
    assert taken * chip.stream_bytes_per_cycle >= 2 * vectors
    assert product_cycles(chip, work) == chip.matmul_fill_cycles + taken


@given(work=products())
def test_overlap_and_int8_mode_never_make_a_product_slower(work: ProductWork) -> None:
    wide = work._replace(operand_bytes=2)
    narrow = work._replace(operand_bytes=1)
    for chip in (CHIP, OVERLAP):
        assert product_cycles(chip, narrow) <= product_cycles(chip, wide)
    assert product_cycles(OVERLAP, work) <= product_cycles(CHIP, work)


@given(chip=CHIPS, held=st.integers(1, 3), work=products())
def test_a_round_ahead_saves_its_load_at_most_and_never_costs(
    chip: ChipSpec, held: int, work: ProductWork
) -> None:
    chip = chip.model_copy(update={"mxm_buffer_bytes": held * chip.round_bytes})
    rounds = tiling(chip, work.operand_bytes).rounds(work.shape)
    work = work._replace(ready_rounds=min(work.ready_rounds, rounds))
    most = most_preload_rounds(chip, work)
    assert most <= held
    taken = [
        work_cycles(chip, preloaded(chip, work, ahead)) for ahead in range(most + 1)
    ]
    saved = [before - after for before, after in pairwise(taken)]
    # Streams of vectors may hide it.
    load = rounds_of(chip, work).load_cycles
    assert all(0 <= each <= load for each in saved)
    assert least_cycles(chip, work) == taken[-1]
    off = chip.model_copy(update={"prefetch": False})
    assert least_cycles(off, work) == taken[0]


def test_a_chain_takes_cycles_of_its_own_behind_the_rounds(
    small_chip: ChipSpec,
) -> None:
    # Two passes of 20 vectors of ten, eight operations on four ALUs; no fill.
    chained = PRODUCT._replace(chain=VectorWork(200, 8, operations=8, passes=2))
    assert chain_cycles(small_chip, PRODUCT) == 0
    assert chain_cycles(small_chip, chained) == 2 * 20 * 2
    assert work_cycles(small_chip, chained) == 30 + 56 + 80


def vector(chip: ChipSpec, elements: int, **rest: Any) -> int:
    return vector_cycles(chip, VectorWork(elements, 8, **rest))


def test_a_vector_operator_runs_the_lanes_full(small_chip: ChipSpec) -> None:
    assert vector(small_chip, 10) == 8 + 1
    assert vector(small_chip, 11) == 8 + 2
    assert vector(small_chip, 100, operations=4) == 8 + 10


def test_each_vector_begins_at_the_first_lane(small_chip: ChipSpec) -> None:
    # Five vectors of eleven take two cycles each, 55 elements together six.
    passes = [
        pass_cycles(small_chip, VectorWork(55, 8, vectors=vectors))
        for vectors in (5, 1)
    ]
    assert passes == [10, 6]


def test_more_operations_than_chained_alus_take_another_round(
    small_chip: ChipSpec,
) -> None:
    assert vector(small_chip, 100, operations=5) == 8 + 20


def test_passes_follow_one_another(small_chip: ChipSpec) -> None:
    assert vector(small_chip, 100, passes=3) == 3 * (8 + 10)


@pytest.mark.parametrize(
    ("elements", "vectors", "steps"),
    [(1, 1, 0), (2, 1, 1), (8, 1, 3), (9, 1, 4), (100, 1, 4), (16, 8, 1)],
)
def test_lanes_are_halved_to_one(
    small_chip: ChipSpec, elements: int, vectors: int, steps: int
) -> None:
    # Two cycles a step; a vector has ten lanes at most.
    work = VectorWork(elements, 8, vectors=vectors)
    assert reduction_cycles(small_chip, work) == 2 * steps


def test_all_lanes_of_the_chip_take_nine_steps() -> None:
    assert reduction_cycles(CHIP, VectorWork(320, 16)) == 9 * CHIP.lane_step_cycles


def test_reductions_come_on_top_of_the_passes(small_chip: ChipSpec) -> None:
    # The largest score, the sum, the division: four steps of two cycles twice.
    softmax = vector(small_chip, 100, passes=3, reductions=2)
    assert softmax == 3 * (8 + 10) + 2 * 8


@given(
    elements=sizes,
    operations=st.integers(1, 100),
    passes=st.integers(1, 5),
    reductions=st.integers(0, 3),
    more=st.integers(0, 1000),
)
def test_more_of_anything_never_makes_a_vector_operator_faster(
    elements: int, operations: int, passes: int, reductions: int, more: int
) -> None:
    work = VectorWork(
        elements, 16, operations=operations, passes=passes, reductions=reductions
    )
    for grown in (
        work._replace(elements=elements + more),
        work._replace(operations=operations + more),
        work._replace(passes=passes + more),
        work._replace(reductions=reductions + more),
        work._replace(operands=1 + more),
    ):
        assert vector_cycles(CHIP, grown) >= vector_cycles(CHIP, work)


def test_a_lookup_reads_at_the_rate_of_the_streams(small_chip: ChipSpec) -> None:
    # 400 B a cycle.
    assert lookup_cycles(small_chip, stored_bytes=801) == 8 + 3
    assert work_cycles(small_chip, LookupWork(801)) == 8 + 3


def test_nothing_to_do_takes_no_time() -> None:
    nothing = PRODUCT._replace(rows=0)
    assert product_cycles(CHIP, nothing) == streaming_cycles(CHIP, nothing) == 0
    none = PRODUCT._replace(shape=Shape((25,), (20,), matrices=0))
    assert work_cycles(CHIP, none) == least_cycles(CHIP, none) == 0
    assert vector_cycles(CHIP, VectorWork(0, 8)) == 0
    assert lookup_cycles(CHIP, stored_bytes=0) == 0


def test_an_operand_takes_a_stream_for_each_byte_of_an_element() -> None:
    works = [
        VectorWork(elements=100, element_bits=bits, operands=operands)
        for bits, operands in ((8, 1), (16, 3), (4, 3))
    ]
    assert [operand_streams(work) for work in works] == [1, 6, 2]


def test_more_operations_or_streams_than_fit_take_another_chain(
    small_chip: ChipSpec,
) -> None:
    # Of 40 streams 2 carry weights and 8 are reserved: 30 are free for operands.
    chains = [
        chains_of(small_chip, operations, streams)
        for operations, streams in ((4, 30), (5, 30), (4, 31), (9, 61))
    ]
    assert chains == [1, 2, 2, 3]
