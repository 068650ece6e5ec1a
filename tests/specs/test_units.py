from hypothesis import given
from hypothesis import strategies as st

from specs import units
from specs.units import ceil_div


@given(numerator=st.integers(-(10**30), 10**30), denominator=st.integers(1, 10**18))
def test_a_quotient_rounded_up_is_the_least_that_is_enough(
    numerator: int, denominator: int
) -> None:
    quotient = ceil_div(numerator, denominator)
    assert (quotient - 1) * denominator < numerator <= quotient * denominator


def test_conversions_agree_with_each_other() -> None:
    assert units.AS_PER_S == units.AS_PER_PS * units.PS_PER_S
    assert units.PS_PER_US == units.PS_PER_NS * units.NS_PER_US
    assert units.PS_PER_S == units.PS_PER_US * units.US_PER_S
    assert units.PS_PER_S == units.PS_PER_NS * units.NS_PER_S
    assert units.US_PER_S == units.US_PER_MS * 1_000
