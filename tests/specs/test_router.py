import pytest

from specs.errors import SpecError
from specs.router import RouterScores, RouterSpec
from specs.validation import build


def test_a_router_without_settings_is_a_softmax_over_the_chosen() -> None:
    router = RouterSpec()
    assert router.scores is RouterScores.SOFTMAX
    assert not router.before_choice
    assert router.vectors == 0


def test_a_bias_and_a_correction_are_a_vector_each() -> None:
    assert RouterSpec(bias=True, correction=True).vectors == 2


def test_more_groups_than_there_are_cannot_be_chosen_from() -> None:
    with pytest.raises(SpecError, match="cannot choose from 3 of 2 groups"):
        build(RouterSpec, {"groups": 2, "groups_per_token": 3}, "it")
