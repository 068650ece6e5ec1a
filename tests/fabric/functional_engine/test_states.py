import numpy as np
import pytest

from fabric.functional_engine.memory import Array
from fabric.functional_engine.states import RecurrentStates, State
from specs.errors import VerificationError


def stepped(
    states: RecurrentStates, position: int, tokens: int = 1, columns: int = 4
) -> list[Array]:
    """Return the state that is found, after which it is greater by 1."""
    found: list[Array] = []

    def step(state: Array) -> Array:
        found.append(state)
        return state + 1

    states.replace(
        3,
        "layers.0.attention.delta_state",
        (0, columns),
        first_position=position,
        tokens=tokens,
        zero=lambda: np.zeros(2),
        step=step,
    )
    return found


def test_a_state_is_what_the_tokens_before_have_left() -> None:
    states = RecurrentStates()
    assert stepped(states, 0, tokens=5)[0].tolist() == [0, 0]
    assert stepped(states, 5)[0].tolist() == [1, 1]
    # Other columns have a state of their own.
    assert stepped(states, 0, columns=2)[0].tolist() == [0, 0]


@pytest.mark.parametrize("position", [0, 4, 6])
def test_a_stale_state_is_refused(position: int) -> None:
    states = RecurrentStates()
    stepped(states, 0, tokens=5)
    why = f"at position {position}, and its state has seen 5 positions"
    with pytest.raises(VerificationError, match=why):
        stepped(states, position)


def test_nothing_is_before_the_first_token() -> None:
    assert State(0, np.zeros(1)).positions == 0
    with pytest.raises(VerificationError, match="has seen 0 positions"):
        stepped(RecurrentStates(), 1)
