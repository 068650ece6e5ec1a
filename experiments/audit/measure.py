"""Measurement of the model that bears on a claim: a number, and of what."""

from collections.abc import Callable
from typing import NamedTuple


class Measure(NamedTuple):
    """Measurement that bears on a claim.

    Attributes
    ----------
    text
        What is measured, in a few words.
    run
        Returns it, in the unit of the claims that name it; None if it cannot be
        computed, for want of a published number.
    long
        Whether it takes more than a second.
    """

    text: str
    run: Callable[[], float | None]
    long: bool = False


class Case(NamedTuple):
    """A model on chips of a machine under a split.

    Attributes
    ----------
    model, chips, strategy, context, machine
        As in a scenario.
    """

    model: str
    chips: int
    strategy: str
    context: int = 4096
    machine: str = "groqrack"
