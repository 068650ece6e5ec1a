import pytest
from hypothesis import given
from hypothesis import strategies as st

from specs.formats import Format

ELEMENTS = {
    "fp32": 32,
    "fp16": 16,
    "bf16": 16,
    "fp8": 8,
    "int8": 8,
    "int4": 4,
    "fp4": 4,
}


@pytest.mark.parametrize(("name", "bits"), ELEMENTS.items())
def test_a_format_is_as_wide_as_its_name_says(name: str, bits: int) -> None:
    assert Format(name).bits == bits
    assert Format(name).bytes_of(8) == bits


def test_every_format_knows_its_width() -> None:
    assert set(ELEMENTS) == set(Format)


@given(each=st.sampled_from(Format), elements=st.integers(0, 10**12))
def test_bytes_hold_the_elements_and_waste_less_than_one_byte(
    each: Format, elements: int
) -> None:
    assert 0 <= 8 * each.bytes_of(elements) - elements * each.bits < 8
