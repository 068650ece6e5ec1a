import pytest
from hypothesis import given
from hypothesis import strategies as st

from chip.matmul_cycles import matmul_cycles
from chip.operator_cycles import (
    chains_of,
    feed_bytes_per_cycle,
    load_cycles,
    lookup_cycles,
    operand_streams,
    vector_cycles,
    work_cycles,
)
from chip.operator_work import LoadWork, ProductWork, VectorWork
from specs.machine import ChipSpec, load_machine

CHIP = load_machine("groqrack").chip
sizes = st.integers(1, 10**9)
batches = st.integers(1, 512)


@pytest.fixture
def round_chip() -> ChipSpec:
    """Return a chip whose cycles can be counted in the head."""
    return CHIP.model_copy(
        update={
            "mxm_int8_macs_per_cycle": 1000,
            "mxm_fp16_macs_per_cycle": 250,
            "weight_feed_bytes_per_cycle": 100,
            "sram_bytes_per_cycle": 60,
            "stream_bytes_per_cycle": 50,
            "lanes": 10,
            "vxm_alus": 4,
            "matmul_fill_cycles": 5,
            "vector_fill_cycles": 3,
            "operand_bytes": 1,
        }
    )


@pytest.mark.parametrize(("hidden_size", "published"), [(512, 670), (1024, 1958)])
def test_an_lstm_takes_as_long_as_published(hidden_size: int, published: int) -> None:
    # INT8, hidden size = input size: two matrices of 4 x n x n.
    weights = 8 * hidden_size**2
    ours = matmul_cycles(CHIP, weights=weights, stored_bytes=weights)
    assert ours == pytest.approx(published, rel=0.02)


@pytest.mark.parametrize(
    ("weights", "stored_bytes", "batch", "cycles"),
    [
        pytest.param(1000, 1000, 1, 20, id="weight feed"),
        pytest.param(1000, 2000, 1, 40, id="streams"),
        pytest.param(1000, 1000, 30, 30, id="matrix unit"),
        pytest.param(1000, 400, 1, 10, id="weight feed, narrow storage"),
    ],
)
def test_the_tightest_resource_decides(
    round_chip: ChipSpec,
    weights: int,
    stored_bytes: int,
    batch: int,
    cycles: int,
) -> None:
    taken = matmul_cycles(
        round_chip, weights=weights, stored_bytes=stored_bytes, batch=batch
    )
    assert taken == 5 + cycles


def test_many_vectors_of_a_narrow_product_take_half_of_the_streams(
    round_chip: ChipSpec,
) -> None:
    taken = [
        matmul_cycles(
            round_chip, weights=100, stored_bytes=100, batch=50, vector_bytes=size
        )
        for size in (125, 126, 1000)
    ]
    # Of 50 B a cycle 25 are for vectors; multiplying takes 5 cycles.
    assert taken == [5 + 5, 5 + 6, 5 + 40]


def test_sram_decides_where_it_is_slower_than_the_streams(round_chip: ChipSpec) -> None:
    slow = round_chip.model_copy(update={"sram_bytes_per_cycle": 10})
    assert matmul_cycles(slow, weights=1000, stored_bytes=1000) == 5 + 100


def test_wide_operands_are_fed_at_their_width_and_multiplied_in_fp16(
    round_chip: ChipSpec,
) -> None:
    wide = round_chip.model_copy(update={"operand_bytes": 2})
    assert matmul_cycles(wide, weights=5000, stored_bytes=5000) == 5 + 100
    assert matmul_cycles(wide, weights=5000, stored_bytes=5000, batch=10) == 5 + 200


@given(weights=sizes, stored_bytes=sizes, batch=batches, more=st.integers(0, 10**6))
def test_more_of_anything_never_makes_a_product_faster(
    weights: int, stored_bytes: int, batch: int, more: int
) -> None:
    cycles = matmul_cycles(
        CHIP, weights=weights, stored_bytes=stored_bytes, batch=batch
    )
    for grown in (
        matmul_cycles(
            CHIP, weights=weights + more, stored_bytes=stored_bytes, batch=batch
        ),
        matmul_cycles(
            CHIP, weights=weights, stored_bytes=stored_bytes + more, batch=batch
        ),
        matmul_cycles(
            CHIP, weights=weights, stored_bytes=stored_bytes, batch=batch + more
        ),
    ):
        assert grown >= cycles


@given(weights=sizes, batch=batches)
def test_a_product_is_never_below_the_roofs_of_the_chip(
    weights: int, batch: int
) -> None:
    cycles = matmul_cycles(CHIP, weights=weights, stored_bytes=weights, batch=batch)
    assert cycles * CHIP.mxm_int8_macs_per_cycle >= weights * batch
    assert cycles * CHIP.weight_feed_bytes_per_cycle >= weights
    assert cycles * CHIP.sram_bytes_per_cycle >= weights
    assert cycles >= CHIP.matmul_fill_cycles


def test_a_vector_operator_runs_the_lanes_full(round_chip: ChipSpec) -> None:
    assert vector_cycles(round_chip, elements=10) == 3 + 1
    assert vector_cycles(round_chip, elements=11) == 3 + 2
    assert vector_cycles(round_chip, elements=100, operations=4) == 3 + 10


def test_more_operations_than_chained_alus_take_another_round(
    round_chip: ChipSpec,
) -> None:
    assert vector_cycles(round_chip, elements=100, operations=5) == 3 + 20


def test_passes_follow_one_another(round_chip: ChipSpec) -> None:
    assert vector_cycles(round_chip, elements=100, passes=3) == 3 * (3 + 10)


@given(
    elements=sizes,
    operations=st.integers(1, 100),
    passes=st.integers(1, 5),
    more=st.integers(0, 1000),
)
def test_more_of_anything_never_makes_a_vector_operator_faster(
    elements: int, operations: int, passes: int, more: int
) -> None:
    cycles = vector_cycles(
        CHIP, elements=elements, operations=operations, passes=passes
    )
    for grown in (
        vector_cycles(
            CHIP, elements=elements + more, operations=operations, passes=passes
        ),
        vector_cycles(
            CHIP, elements=elements, operations=operations + more, passes=passes
        ),
        vector_cycles(
            CHIP, elements=elements, operations=operations, passes=passes + more
        ),
    ):
        assert grown >= cycles


def test_a_lookup_reads_at_the_rate_of_the_streams(round_chip: ChipSpec) -> None:
    assert lookup_cycles(round_chip, stored_bytes=101) == 3 + 3


def test_nothing_to_do_takes_no_time() -> None:
    assert matmul_cycles(CHIP, weights=0, stored_bytes=0) == 0
    assert vector_cycles(CHIP, elements=0) == 0
    assert lookup_cycles(CHIP, stored_bytes=0) == 0


def test_the_narrowest_of_feed_streams_and_reads_feeds_weights(
    small_chip: ChipSpec,
) -> None:
    narrow = [
        small_chip.model_copy(update=update)
        for update in (
            {},
            {"stream_bytes_per_cycle": 15},
            {"mem_slices": 3},
        )
    ]
    assert [feed_bytes_per_cycle(chip) for chip in narrow] == [20, 15, 10]


def test_a_load_takes_its_bytes_at_the_weight_feed(small_chip: ChipSpec) -> None:
    loads = [LoadWork(fed_bytes=size, stored_bytes=1) for size in (100, 101)]
    assert [load_cycles(small_chip, load) for load in loads] == [5, 6]
    assert [work_cycles(small_chip, load) for load in loads] == [5, 6]


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


def test_a_slow_chain_makes_its_product_longer(small_chip: ChipSpec) -> None:
    product = ProductWork(
        weights=400,
        stored_bytes=400,
        operand_bytes=1,
        batch=1,
        input_bytes=20,
        output_bytes=20,
    )
    slow = product._replace(chain=VectorWork(200, 8, operations=8))
    assert work_cycles(small_chip, product) == 30 + 20
    assert work_cycles(small_chip, slow) == 30 + 200 // 10 * 2
