"""Recurrent states: what linear attention keeps of all earlier tokens on each chip."""

from collections.abc import Callable
from typing import NamedTuple, final

from fabric.functional_engine.memory import Array
from specs.errors import VerificationError


class State(NamedTuple):
    """State of some columns on a chip.

    Attributes
    ----------
    positions
        Positions of each sequence that it has seen.
    array
        Its numbers, the batch as first axis.
    """

    positions: int
    array: Array


@final
class RecurrentStates:
    """States of all chips, which stay from program to program.

    A state is replaced by each operator that reads it, so that it is of no use to one
    whose tokens are not the next.
    """

    def __init__(self) -> None:
        self._held: dict[tuple[int, str, int, int], State] = {}

    def replace(
        self,
        chip: int,
        name: str,
        columns: tuple[int, int],
        *,
        first_position: int,
        tokens: int,
        zero: Callable[[], Array],
        step: Callable[[Array], Array],
    ) -> None:
        """Replace a state by what the next tokens make of it.

        Parameters
        ----------
        chip, name
            The chip, and the name of the state.
        columns
            Range of columns, end exclusive.
        first_position, tokens
            Position of the first of the tokens in its sequence, and their number.
        zero
            Makes the state before the first token.
        step
            Takes the state and returns the next one.

        Raises
        ------
        VerificationError
            If the state is not that of the token before.
        """
        key = (chip, name, *columns)
        held = self._held.get(key)
        seen = held.positions if held is not None else 0
        if seen != first_position:
            raise VerificationError(
                f"chip {chip} reads {name}, columns {columns[0]}-{columns[1] - 1}, at "
                f"position {first_position}, and its state has seen {seen} positions"
            )
        old = held.array if held is not None else zero()
        self._held[key] = State(first_position + tokens, step(old))
