import pytest
from hypothesis import given
from hypothesis import strategies as st

from chip.matmul_cycles import matmul_cycles, product_cycles
from chip.mxm_tiling import (
    TileSets,
    Tiling,
    mxm_macs_per_cycle,
    tile_cycles,
    tile_sets,
    tiling,
)
from specs.machine import ChipSpec, load_machine

BYTE = load_machine().chip
FP16 = BYTE.model_copy(update={"operand_bytes": 2})
CHIPS = st.sampled_from([BYTE, FP16])
SIDES = st.integers(1, 5000)


def test_four_byte_tiles_or_two_of_fp16_multiply_at_once() -> None:
    assert tiling(BYTE) == Tiling(depth=320, width=320, at_once=4)
    assert tiling(FP16) == Tiling(depth=160, width=320, at_once=2)


@given(CHIPS, st.integers(16, 5000), st.integers(16, 5000))
def test_a_product_of_one_row_takes_what_loading_its_weights_takes(
    chip: ChipSpec, inner: int, columns: int
) -> None:
    stored = inner * columns * chip.operand_bytes
    assert product_cycles(
        chip, rows=1, inner=inner, columns=columns, stored_bytes=stored
    ) == matmul_cycles(chip, weights=inner * columns, stored_bytes=stored)


@given(CHIPS, SIDES, SIDES, SIDES, st.integers(1, 8))
def test_a_product_is_never_faster_than_its_multiplications(
    chip: ChipSpec, rows: int, inner: int, columns: int, matrices: int
) -> None:
    weights = matrices * inner * columns
    stored = weights * chip.operand_bytes
    shape = {"rows": rows, "inner": inner, "columns": columns, "matrices": matrices}
    cycles = product_cycles(chip, stored_bytes=stored, **shape)
    assert cycles >= matmul_cycles(
        chip, weights=weights, stored_bytes=stored, batch=rows
    )
    more = shape | {"rows": rows + 1}
    assert product_cycles(chip, stored_bytes=stored, **more) >= cycles


def test_full_tiles_multiply_at_the_peak_once_the_first_are_loaded() -> None:
    # 26 tiles of 160 x 320, two at once: 13 passes of 10,000 rows; the first two tiles
    # take 204,800 B at 4,885 B a cycle.
    assert (
        product_cycles(
            FP16, rows=10_000, inner=26 * 160, columns=320, stored_bytes=2_662_400
        )
        == 241 + 42 + 130_000 - 1
    )


def test_a_column_beyond_full_tiles_costs_a_tile_more() -> None:
    def cycles(columns: int) -> int:
        stored = 320 * columns
        return product_cycles(
            BYTE, rows=10_000, inner=320, columns=columns, stored_bytes=stored
        )

    assert cycles(1281) == pytest.approx(2 * cycles(1280), rel=0.02)


def test_nothing_to_multiply_takes_no_time() -> None:
    shape = {"inner": 320, "columns": 320, "stored_bytes": 102_400}
    assert product_cycles(BYTE, rows=0, **shape) == 0
    assert product_cycles(BYTE, rows=1, matrices=0, **shape) == 0


def test_operands_of_two_bytes_multiply_at_the_rate_of_fp16(
    small_chip: ChipSpec,
) -> None:
    assert [mxm_macs_per_cycle(small_chip, width) for width in (None, 1, 2)] == [
        200,
        200,
        50,
    ]


def test_weights_are_covered_by_sets_of_tiles(small_chip: ChipSpec) -> None:
    # 3 x 2 tiles of 10 x 10, two at once.
    tiles = tile_sets(small_chip, 1, inner=25, columns=20, matrices=1)
    assert tiles == TileSets(
        sets=3, fed_bytes=500, operand_bytes=25 * 2, sum_bytes=20 * 4 * 3
    )
    assert tiles.set_bytes == 167


def test_each_matrix_has_tiles_of_its_own(small_chip: ChipSpec) -> None:
    tiles = tile_sets(small_chip, 1, inner=10, columns=1, matrices=6)
    assert (tiles.sets, tiles.fed_bytes) == (3, 60)


@pytest.mark.parametrize(
    ("rows", "stored_bytes", "preloaded_bytes", "cycles"),
    [
        pytest.param(50, 400, 0, 10 + 2 * 50 - 1, id="first set loaded, all multiply"),
        pytest.param(50, 400, 200, 2 * 50 - 1, id="first set preloaded"),
        pytest.param(5, 400, 0, 20 + 5 - 1, id="last set loaded, then multiplies"),
        pytest.param(1, 80_000 - 200, 0, 200, id="streams"),
    ],
)
def test_the_slowest_of_load_multiply_and_streams_decides(
    small_chip: ChipSpec,
    rows: int,
    stored_bytes: int,
    preloaded_bytes: int,
    cycles: int,
) -> None:
    tiles = TileSets(sets=2, fed_bytes=400, operand_bytes=40, sum_bytes=160)
    assert cycles == tile_cycles(
        small_chip,
        tiles,
        rows=rows,
        stored_bytes=stored_bytes,
        preloaded_bytes=preloaded_bytes,
    )
