import pytest
from hypothesis import given
from hypothesis import strategies as st

from specs.formats import Format
from specs.units import ceil_div


@pytest.mark.parametrize(
    ("name", "bits"),
    [("fp32", 32), ("fp16", 16), ("bf16", 16), ("fp8", 8), ("int8", 8), ("int4", 4)],
)
def test_a_format_is_as_wide_as_its_name_says(name: str, bits: int) -> None:
    assert Format(name).bits == bits
    assert Format(name).bytes_of(8) == bits


def test_every_format_knows_its_width() -> None:
    assert all(each.bits % 4 == 0 for each in Format)


@given(each=st.sampled_from(Format), elements=st.integers(0, 10**12))
def test_bytes_hold_the_elements_and_waste_less_than_one_byte(
    each: Format, elements: int
) -> None:
    assert 0 <= 8 * each.bytes_of(elements) - elements * each.bits < 8


@given(numerator=st.integers(-(10**30), 10**30), denominator=st.integers(1, 10**18))
def test_a_quotient_rounded_up_is_the_least_that_is_enough(
    numerator: int, denominator: int
) -> None:
    quotient = ceil_div(numerator, denominator)
    assert (quotient - 1) * denominator < numerator <= quotient * denominator
