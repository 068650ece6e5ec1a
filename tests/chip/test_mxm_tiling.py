import pytest
from hypothesis import given
from hypothesis import strategies as st

from chip.mxm_tiling import Tiling, mode_bytes, mxm_macs_per_cycle, tiling
from chip.operator_work import Shape
from specs.chip import ChipSpec
from specs.machine import load_machine

CHIP = load_machine().chip
INT8, FP16 = tiling(CHIP, 1), tiling(CHIP, 2)
parts = st.lists(st.integers(1, 2000), min_size=1, max_size=4).map(tuple)
shapes = st.builds(Shape, parts, parts, st.integers(1, 9))


def test_four_tiles_of_int8_or_two_of_fp16_multiply_at_once() -> None:
    assert Tiling(side=320, at_once=4, row_cycles=1) == INT8
    assert Tiling(side=320, at_once=2, row_cycles=2) == FP16


@pytest.mark.parametrize("mode", [1, 2])
def test_full_tiles_multiply_at_the_peak_of_their_mode(mode: int) -> None:
    cut = tiling(CHIP, mode)
    peak = cut.at_once * cut.side**2 / cut.row_cycles
    assert peak == mxm_macs_per_cycle(CHIP, mode) == {1: 409_600, 2: 102_400}[mode]


def test_operands_wider_than_a_byte_multiply_in_fp16_mode(small_chip: ChipSpec) -> None:
    assert [mxm_macs_per_cycle(small_chip, width) for width in (1, 2, 4)] == [
        400,
        100,
        100,
    ]
    assert tiling(CHIP, 4) == FP16


def test_a_chip_of_one_plane_takes_one_tile_in_both_modes(small_chip: ChipSpec) -> None:
    single = small_chip.model_copy(update={"mxm_planes": 1})
    assert [tiling(single, mode).at_once for mode in (1, 2)] == [1, 1]


def test_each_part_is_padded_to_whole_tiles() -> None:
    # 320 and 321 inputs take 1 + 2 tiles, 641 together would take 3 as well.
    assert INT8.tiles(Shape((320, 321), (320,))) == 3
    # Gates of 512 take two tiles each; side by side 2,048 columns would take seven.
    assert INT8.tiles(Shape((320,), (512,) * 4)) == 8
    assert INT8.tiles(Shape((320,), (2048,))) == 7


def test_each_matrix_has_tiles_of_its_own_and_shares_rounds() -> None:
    # Six matrices of a single element: six tiles, in two rounds of four or three of
    # two.
    small = Shape((1,), (1,), matrices=6)
    assert INT8.tiles(small) == FP16.tiles(small) == 6
    assert (INT8.rounds(small), FP16.rounds(small)) == (2, 3)


def test_a_column_beyond_full_rounds_costs_a_round_more() -> None:
    rounds = [INT8.rounds(Shape((320,), (columns,))) for columns in (1280, 1281)]
    assert rounds == [1, 2]


@given(shape=shapes, mode=st.sampled_from([1, 2]))
def test_tiles_cover_all_weights_in_as_few_rounds_as_hold_them(
    shape: Shape, mode: int
) -> None:
    cut = tiling(CHIP, mode)
    tiles, rounds = cut.tiles(shape), cut.rounds(shape)
    assert tiles * cut.side**2 >= shape.elements
    assert (rounds - 1) * cut.at_once < tiles <= rounds * cut.at_once
    # Parts side by side pad no more than parts of their own.
    whole = Shape((sum(shape.inner),), (sum(shape.columns),), shape.matrices)
    assert cut.tiles(whole) <= tiles


def test_no_matrix_takes_no_round() -> None:
    assert INT8.rounds(Shape((320,), (320,), matrices=0)) == 0


@pytest.mark.parametrize(
    ("setting", "operands", "mode"),
    [
        pytest.param("auto", (1, 1), 1, id="both narrow"),
        pytest.param("auto", (1, 2), 2, id="wide vectors"),
        pytest.param("auto", (2, 1), 2, id="wide weights"),
        pytest.param("auto", (1, 4), 2, id="FP32 is rounded"),
        pytest.param(1, (2, 2), 1, id="INT8 for all"),
        pytest.param(2, (1, 1), 2, id="FP16 for all"),
    ],
)
def test_the_mode_is_that_of_the_wider_operand_or_what_is_set(
    small_chip: ChipSpec, setting: int | str, operands: tuple[int, int], mode: int
) -> None:
    chip = small_chip.model_copy(update={"operand_bytes": setting})
    assert mode_bytes(chip, *operands) == mode
