"""A sharding strategy as people write it: ``tensor=8,pipeline=72``."""

from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Any, final

from sharding.parallelism.tensor_group import FeedForwardLayout, Routing, grid_inputs
from specs.errors import PlanError, nearest

# What is always written; one of them may be left out and is filled up.
_SIZES = ("tensor", "pipeline")
# What is written if it is not as usual.
_COUNTS = ("data", "expert", "attention")
_WORDS: dict[str, type[StrEnum]] = {"layout": FeedForwardLayout, "routing": Routing}
_KEYS = (*_SIZES, *_COUNTS, *_WORDS)


@final
@dataclass(frozen=True, order=True, slots=True, kw_only=True)
class Strategy:
    """How many chips share a layer and how, how many stages follow, how often.

    Parameters
    ----------
    tensor
        Chips that share the same layers.
    pipeline
        Stages that a token passes one after the other.
    data
        Replicas: pipelines that each hold the whole model and serve sequences of
        their own.
    expert
        Groups of experts that a tensor group is divided into; each holds whole experts.
    attention
        Chips of a tensor group that share the attention of a layer, 0 for all of them.
    layout
        How the matrices of a feed-forward lie on the group.
    routing
        What is known of the experts that tokens choose.
    """

    tensor: int
    pipeline: int
    data: int = 1
    expert: int = 1
    attention: int = 0
    layout: FeedForwardLayout = FeedForwardLayout.ONE_D
    routing: Routing = Routing.WORST

    def __post_init__(self) -> None:
        for name in (*_SIZES, "data", "expert"):
            if getattr(self, name) < 1:
                raise PlanError(f"{name} must be at least 1, got {getattr(self, name)}")
        for name, what in (("expert", "group of experts"), ("attention", "attention")):
            parts = getattr(self, name)
            if parts and self.tensor % parts:
                raise PlanError(
                    f"{name}={parts} does not divide tensor={self.tensor}, and each "
                    f"{what} takes as many chips as the next; "
                    f"use {name}={_nearest_divisor(self.tensor, parts)}"
                )
        if self.routing is not Routing.WORST and self.expert == 1:
            raise PlanError(
                f"routing={self.routing} is about groups of experts, and there is one; "
                f"add expert=2, or leave it out"
            )
        if self.layout is FeedForwardLayout.TWO_D:
            self._check_grid()

    def _check_grid(self) -> None:
        if self.expert > 1:
            raise PlanError(
                f"layout=2d cuts matrices that lie on the whole group, and expert="
                f"{self.expert} divides it; use one of the two"
            )
        if grid_inputs(self.tensor) == 1:
            raise PlanError(
                f"tensor={self.tensor} chips form no grid for layout=2d; "
                f"use tensor={max(4, self.tensor + 1)}, or layout=1d"
            )

    @property
    def replica_chips(self) -> int:
        """Return the chips that one replica takes."""
        return self.tensor * self.pipeline

    @property
    def chips(self) -> int:
        """Return the chips that the strategy takes."""
        return self.replica_chips * self.data

    def __str__(self) -> str:
        """Return the strategy as `parse_strategy` reads it."""
        return ",".join(
            f"{field.name}={getattr(self, field.name)}"
            for field in fields(self)
            if getattr(self, field.name) != field.default
        )


def parse_strategy(text: str, chips: int) -> Strategy:
    """Return the strategy that `text` names, an omitted part filled up to `chips`.

    Parameters
    ----------
    text
        ``tensor=T,pipeline=P`` in any order, one of the two may be left out; and any
        of ``data=D``, ``expert=E``, ``attention=A``, ``layout=2d``,
        ``routing=balanced``.
    chips
        Chips that may be used.

    Raises
    ------
    PlanError
        If a key is unknown, given twice or no such number or word, if the parts do not
        go together, or if the strategy takes more chips than there are.

    Examples
    --------
    >>> str(parse_strategy("tensor=8", 576))
    'tensor=8,pipeline=72'
    >>> str(parse_strategy("tensor=8,data=2", 576))
    'tensor=8,pipeline=36,data=2'
    """
    values: dict[str, Any] = {}
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        key, _, said = (piece.strip() for piece in part.partition("="))
        if key not in _KEYS:
            raise PlanError(f"strategy {text!r}: no key {key!r}; {nearest(key, _KEYS)}")
        if key in values:
            raise PlanError(f"strategy {text!r}: {key} is given twice")
        values[key] = _value(text, key, said)
    if not values:
        raise PlanError(f"strategy {text!r} is empty; write tensor=8,pipeline=72")
    if not values.keys() & set(_SIZES):
        raise PlanError(
            f"strategy {text!r} names no split; write tensor=8,{text.strip(' ,')}"
        )
    each = chips // values.get("data", 1)
    for name, other in (_SIZES, _SIZES[::-1]):
        values.setdefault(name, max(1, each // values.get(other, 1)))
    strategy = Strategy(**values)
    if strategy.chips > chips:
        raise PlanError(
            f"{strategy} takes {_product(strategy)} = "
            f"{strategy.chips} chips but {chips} are there; "
            f"use --chips {strategy.chips}, or {_smaller(strategy, chips)}"
        )
    return strategy


def _value(text: str, key: str, said: str) -> int | StrEnum:
    """Return the number or word that is said for a key."""
    if key in _WORDS:
        words = [str(word) for word in _WORDS[key]]
        if said not in words:
            raise PlanError(
                f"strategy {text!r}: {key} is {said!r}, expected {' or '.join(words)}"
            )
        return _WORDS[key](said)
    if not said.isdecimal() or int(said) < 1:
        raise PlanError(
            f"strategy {text!r}: {key} needs a number of at least 1, "
            f"as in tensor=8,pipeline=72"
        )
    return int(said)


def _nearest_divisor(number: int, wanted: int) -> int:
    divisors = (part for part in range(1, number + 1) if number % part == 0)
    return min(divisors, key=lambda part: (abs(part - wanted), part))


def _product(strategy: Strategy) -> str:
    factors = [strategy.tensor, strategy.pipeline]
    if strategy.data > 1:
        factors.append(strategy.data)
    return " x ".join(map(str, factors))


def _smaller(strategy: Strategy, chips: int) -> Strategy:
    """Return a like strategy on no more than `chips`: fewer replicas, then stages."""
    if strategy.replica_chips <= chips:
        return replace(strategy, data=chips // strategy.replica_chips)
    if strategy.tensor <= chips:
        return replace(strategy, pipeline=chips // strategy.tensor, data=1)
    return Strategy(tensor=chips, pipeline=1)
