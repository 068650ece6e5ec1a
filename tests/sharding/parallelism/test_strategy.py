import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharding.parallelism.strategy import Strategy, parse_strategy
from specs.errors import PlanError


@given(tensor=st.integers(1, 500), pipeline=st.integers(1, 500), data=st.integers(1, 9))
def test_a_strategy_is_read_as_it_is_written(
    tensor: int, pipeline: int, data: int
) -> None:
    strategy = Strategy(tensor=tensor, pipeline=pipeline, data=data)
    assert parse_strategy(str(strategy), strategy.chips) == strategy


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("tensor=8,pipeline=72", "tensor=8,pipeline=72"),
        (" pipeline = 72 , tensor = 8 ", "tensor=8,pipeline=72"),
        ("tensor=8", "tensor=8,pipeline=72"),
        ("pipeline=9", "tensor=64,pipeline=9"),
        ("tensor=7", "tensor=7,pipeline=82"),
        ("data=2,tensor=8", "tensor=8,pipeline=36,data=2"),
        ("pipeline=9,data=1", "tensor=64,pipeline=9"),
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
        ("data=2", r"names no split; write tensor=8,data=2"),
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
        (
            "tensor=8,pipeline=9,data=4",
            150,
            r"8 x 9 x 4 = 288 chips but 150 are there; use --chips 288, "
            r"or tensor=8,pipeline=9,data=2$",
        ),
        ("tensor=16", 8, r"16 chips but 8 are there; .* or tensor=8,pipeline=1$"),
    ],
)
def test_too_many_chips_are_answered_with_what_would_do(
    text: str, chips: int, message: str
) -> None:
    with pytest.raises(PlanError, match=message):
        parse_strategy(text, chips)


@pytest.mark.parametrize(
    "text",
    [
        "tensor=8,pipeline=9,expert=4,routing=balanced",
        "tensor=72,pipeline=5,attention=8,layout=2d",
        "tensor=8,pipeline=9,data=2,expert=2,attention=4",
    ],
)
def test_a_group_may_share_its_layers_in_other_ways(text: str) -> None:
    assert str(parse_strategy(text, 576)) == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tensor=8,expert=3", r"expert=3 does not divide tensor=8, .* use expert=2$"),
        ("tensor=72,attention=10", r"each attention takes .* use attention=9$"),
        ("tensor=8,routing=balanced", r"there is one; add expert=2, or leave it out$"),
        ("tensor=7,layout=2d", r"tensor=7 chips form no grid .* use tensor=8, or"),
        ("tensor=1,layout=2d", r"use tensor=4, or layout=1d$"),
        ("tensor=8,layout=2d,expert=2", r"expert=2 divides it; use one of the two$"),
        ("tensor=8,layout=3d", r"layout is '3d', expected 1d or 2d$"),
        (
            "tensor=8,expert=4,routing=best",
            r"'best', expected worst or balanced or all$",
        ),
    ],
)
def test_what_does_not_go_together_is_refused(text: str, message: str) -> None:
    with pytest.raises(PlanError, match=message):
        parse_strategy(text, 576)


def test_a_strategy_has_at_least_one_chip() -> None:
    with pytest.raises(PlanError, match=r"pipeline must be at least 1, got 0"):
        Strategy(tensor=1, pipeline=0)
