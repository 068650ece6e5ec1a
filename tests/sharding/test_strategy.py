import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharding.strategy import Strategy, parse_strategy
from specs.errors import PlanError


@given(tensor=st.integers(1, 500), pipeline=st.integers(1, 500))
def test_a_strategy_is_read_as_it_is_written(tensor: int, pipeline: int) -> None:
    strategy = Strategy(tensor=tensor, pipeline=pipeline)
    assert parse_strategy(str(strategy), strategy.chips) == strategy


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("tensor=8,pipeline=72", "tensor=8,pipeline=72"),
        (" pipeline = 72 , tensor = 8 ", "tensor=8,pipeline=72"),
        ("tensor=8", "tensor=8,pipeline=72"),
        ("pipeline=9", "tensor=64,pipeline=9"),
        ("tensor=7", "tensor=7,pipeline=82"),
    ],
)
def test_what_is_left_out_is_filled_up(text: str, written: str) -> None:
    assert str(parse_strategy(text, 576)) == written


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tensr=8", r"no key 'tensr'; did you mean 'tensor'\?"),
        ("tensor=8,tensor=9", r"tensor is given twice"),
        ("tensor=0", r"tensor needs a number of at least 1, as in tensor=8"),
        ("tensor=-8", r"tensor needs a number of at least 1"),
        ("tensor=8.5", r"tensor needs a number of at least 1"),
        ("tensor", r"tensor needs a number of at least 1"),
        (" , ", r"is empty; write tensor=8,pipeline=72"),
    ],
)
def test_a_strategy_that_cannot_be_meant_is_refused(text: str, message: str) -> None:
    with pytest.raises(PlanError, match=message):
        parse_strategy(text, 576)


@pytest.mark.parametrize(
    ("text", "chips", "message"),
    [
        (
            "tensor=8,pipeline=72",
            72,
            r"8 x 72 = 576 chips but 72 are there; use --chips 576, "
            r"or tensor=8,pipeline=9$",
        ),
        ("tensor=16", 8, r"16 chips but 8 are there; .* or tensor=8,pipeline=1$"),
    ],
)
def test_too_many_chips_are_answered_with_what_would_do(
    text: str, chips: int, message: str
) -> None:
    with pytest.raises(PlanError, match=message):
        parse_strategy(text, chips)


def test_a_strategy_has_at_least_one_chip() -> None:
    with pytest.raises(PlanError, match=r"pipeline must be at least 1, got 0"):
        Strategy(tensor=1, pipeline=0)
