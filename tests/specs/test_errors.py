import pytest

from specs import errors
from specs.errors import RackError, nearest

OURS = [
    value
    for value in vars(errors).values()
    if isinstance(value, type) and issubclass(value, RackError)
]


@pytest.mark.parametrize("error", OURS, ids=lambda error: error.__name__)
def test_every_error_is_in_the_tree_that_the_module_draws(
    error: type[RackError],
) -> None:
    assert error.__name__ in str(errors.__doc__)
    assert error.__doc__


@pytest.mark.parametrize(
    "error", [each for each in OURS if each is not RackError], ids=lambda e: e.__name__
)
def test_an_error_can_be_caught_as_the_built_in_it_is(error: type[RackError]) -> None:
    assert issubclass(error, ValueError | OSError)


def test_a_hint_names_the_nearest_word_or_all() -> None:
    assert nearest("latency_cycels", ["latency_cycles", "ber"]) == (
        "did you mean 'latency_cycles'?"
    )
    assert nearest("x", ["rack", "node"]) == "known: node, rack"
