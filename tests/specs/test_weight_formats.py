import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from specs.errors import SpecError
from specs.formats import Format
from specs.machine import load_machine
from specs.weight_formats import (
    WeightFormat,
    grouped,
    parse_weight_format,
    scaled_as_whole,
    scaled_by_fp32,
)

# Bytes of 256 outputs x 512 inputs: elements, then scales, zeros, and the tensor's.
MATRIX_BYTES = {
    "fp16": 256 * 512 * 2,
    "mxfp4": 256 * 512 // 2 + 256 * 16,
    "mxfp8": 256 * 512 + 256 * 16,
    "nvfp4": 256 * 512 // 2 + 256 * 32 + 4,
    "int4:128": 256 * 512 // 2 + 256 * 4 * 2,
    "int4:128:zero": 256 * 512 // 2 + 256 * 4 * 2 + 256 * 4 // 2,
    "int4:row:zero": 256 * 512 // 2 + 256 * 2 + 256 // 2,
    "fp8:128x128": 256 * 512 + 2 * 4 * 4,
    "int8:row": 256 * 512 + 256 * 2,
    "fp8:tensor": 256 * 512 + 4,
    "int8:row:fp32": 256 * 512 + 256 * 4,
    "fp4:64:fp32": 256 * 512 // 2 + 256 * 8 * 4,
    # 2048 scales of a byte, for 256 of which there are four more, and the tensor's.
    "fp4:64:double": 256 * 512 // 2 + 256 * 8 + 8 * 4 + 4,
}
SCALED = st.sampled_from(sorted(MATRIX_BYTES)) | st.builds(
    "{}:{}x{}".format,
    st.sampled_from(["int4", "fp8"]),
    st.integers(2, 9),
    st.integers(1, 9),
)


@pytest.mark.parametrize(("name", "size"), MATRIX_BYTES.items())
def test_scales_of_weights_take_their_bytes(name: str, size: int) -> None:
    stored = parse_weight_format(name)
    assert str(stored) == name
    assert stored.matrix_bytes(256, 512) == size
    # What the blocks of a whole number take, but for rows and the tensor.
    per_element = 8 * size / (256 * 512)
    assert stored.bits == pytest.approx(per_element, abs=0.1)
    assert stored.bits <= per_element


def slices(stored: WeightFormat, rows: list[int], columns: list[int]) -> int:
    """Return the bytes of all slices between edges of rows and of columns."""
    pairs = [
        (low, high, left, right)
        for low, high in itertools.pairwise(rows)
        for left, right in itertools.pairwise(columns)
    ]
    low, high, left, right = np.array(pairs, dtype=np.int64).T
    return int(stored.slice_bytes((low, high), (left, right)).sum())


@given(
    name=SCALED,
    rows=st.lists(st.integers(0, 40), min_size=2, max_size=5, unique=True),
    columns=st.lists(st.integers(0, 300), min_size=2, max_size=5, unique=True),
)
def test_a_cut_matrix_takes_what_it_took_and_the_scales_of_cut_blocks_again(
    name: str, rows: list[int], columns: list[int]
) -> None:
    stored, rows, columns = parse_weight_format(name), sorted(rows), sorted(columns)
    whole = slices(stored, [rows[0], rows[-1]], [columns[0], columns[-1]])
    cut = slices(stored, rows, columns)
    number = (len(rows) - 1) * (len(columns) - 1)
    elements = (rows[-1] - rows[0]) * (columns[-1] - columns[0])
    assert whole >= stored.element.bytes_of(elements)
    assert whole >= stored.bits * elements / 8 - 1e-6
    # No byte is lost, but elements, scales and zeros may have shared one.
    assert cut >= whole
    height = max(rows[-1] - rows[0], 1)
    again = (len(columns) - 2) * height + (len(rows) - 2) * len(columns) * 300
    beside = (stored.scale_bits + stored.zero_bits) / 8 + 4 * stored.double
    assert cut - whole <= again * beside + number * (3 + stored.tensor_bits // 8)


def test_a_slice_of_nothing_takes_nothing() -> None:
    none, some = np.array([3]), np.array([9])
    for name in MATRIX_BYTES:
        stored = parse_weight_format(name)
        assert stored.slice_bytes((none, none), (none, some)).tolist() == [0]


def test_formats_are_made_of_the_numbers_of_a_checkpoint() -> None:
    assert grouped(Format.INT4, 128, zero=True) == parse_weight_format("int4:128:zero")
    assert grouped(Format.FP8, 64, outputs=32) == parse_weight_format("fp8:32x64")
    assert scaled_as_whole(Format.INT8) == parse_weight_format("int8:tensor")
    assert scaled_by_fp32(Format.FP4, 64) == parse_weight_format("fp4:64:fp32")
    assert scaled_by_fp32(Format.FP8, 0) == parse_weight_format("fp8:row:fp32")
    assert not parse_weight_format("fp8").scaled
    assert parse_weight_format("fp8:tensor").scaled


@pytest.mark.parametrize(
    "name",
    [
        "fp7",
        "fp8:",
        "int4:0",
        "int4:128:zeros",
        "int4:2x3x4",
        "int4:99999999",
        "fp16:128",
        "fp8:tensor:zero",
        "mxfp4:32",
        "int4:-1",
        "fp8:2x2:fp32",
        "fp8:tensor:double",
        8,
        ["fp8"],
    ],
)
def test_a_format_that_does_not_exist_is_refused_with_those_that_do(
    name: object,
) -> None:
    with pytest.raises(
        SpecError, match=r"formats\.weights = .*: must be fp32, .* mxfp4, .* int4:128"
    ):
        load_machine().with_settings({"formats.weights": name})
