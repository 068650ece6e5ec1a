"""A sharding strategy as people write it: ``tensor=8,pipeline=72``."""

from dataclasses import dataclass
from typing import final

from specs.errors import PlanError, nearest

_KEYS = ("tensor", "pipeline")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Strategy:
    """How many chips share a layer, and how many stages follow each other.

    Parameters
    ----------
    tensor
        Chips that hold one slice each of the same matrices.
    pipeline
        Stages that a token passes one after the other.
    """

    tensor: int
    pipeline: int

    def __post_init__(self) -> None:
        for name in _KEYS:
            if getattr(self, name) < 1:
                raise PlanError(f"{name} must be at least 1, got {getattr(self, name)}")

    @property
    def chips(self) -> int:
        """Return the chips that the strategy takes."""
        return self.tensor * self.pipeline

    def __str__(self) -> str:
        """Return the strategy as `parse_strategy` reads it."""
        return f"tensor={self.tensor},pipeline={self.pipeline}"


def parse_strategy(text: str, chips: int) -> Strategy:
    """Return the strategy that `text` names, an omitted part filled up to `chips`.

    Parameters
    ----------
    text
        ``tensor=T,pipeline=P`` in any order; one of the two may be left out.
    chips
        Chips that may be used.

    Raises
    ------
    PlanError
        If a key is unknown, given twice or no positive number, or if the strategy
        takes more chips than there are.

    Examples
    --------
    >>> str(parse_strategy("tensor=8", 576))
    'tensor=8,pipeline=72'
    """
    values: dict[str, int] = {}
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        key, equals, number = (piece.strip() for piece in part.partition("="))
        if key not in _KEYS:
            raise PlanError(f"strategy {text!r}: no key {key!r}; {nearest(key, _KEYS)}")
        if key in values:
            raise PlanError(f"strategy {text!r}: {key} is given twice")
        if not equals or not number.isdecimal() or int(number) < 1:
            raise PlanError(
                f"strategy {text!r}: {key} needs a number of at least 1, "
                f"as in tensor=8,pipeline=72"
            )
        values[key] = int(number)
    if not values:
        raise PlanError(f"strategy {text!r} is empty; write tensor=8,pipeline=72")
    for name, other in (_KEYS, _KEYS[::-1]):
        values.setdefault(name, max(1, chips // values.get(other, 1)))
    strategy = Strategy(**values)
    if strategy.chips > chips:
        tensor = min(strategy.tensor, chips)
        smaller = Strategy(tensor=tensor, pipeline=chips // tensor)
        raise PlanError(
            f"{strategy} takes {strategy.tensor} x {strategy.pipeline} = "
            f"{strategy.chips} chips but {chips} are there; "
            f"use --chips {strategy.chips}, or {smaller}"
        )
    return strategy
