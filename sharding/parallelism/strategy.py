"""A sharding strategy and its text form: ``tensor=8,pipeline=72``."""

from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Any, final

from sharding.parallelism.tensor_group import FeedForwardLayout, Routing, grid_inputs
from specs.errors import PlanError, nearest

# Always written by str(); a missing one becomes as large as the chips allow.
_SIZES = ("tensor", "pipeline")
# Written by str() only if the value is not the default.
_COUNTS = ("data", "expert", "attention")
_CHOICES: dict[str, type[StrEnum]] = {"layout": FeedForwardLayout, "routing": Routing}
_KEYS = (*_SIZES, *_COUNTS, *_CHOICES)


@final
@dataclass(frozen=True, order=True, slots=True, kw_only=True)
class Strategy:
    """A sharding strategy: tensor, pipeline, data and expert parallelism.

    Parameters
    ----------
    tensor
        Chips of a tensor group; they share every layer of their stage.
    pipeline
        Pipeline stages of a replica.
    data
        Replicas. Each holds the whole model and serves its own sequences.
    expert
        Expert groups within a tensor group; each holds whole experts.
    attention
        Chips of a tensor group that share the attention of a layer, 0 for all of them.
        Fewer than all form alternating groups: each has the attention of some layers.
    layout
        Layout of the feed-forward matrices on the group, 1D or 2D.
    routing
        What the schedule assumes about the experts that tokens choose.
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
        if self.routing is Routing.BALANCED and self.expert == 1:
            raise PlanError(
                f"routing={self.routing} is about groups of experts, and there is one; "
                f"add expert=2, or leave it out"
            )
        if self.layout is FeedForwardLayout.TWO_D:
            self._check_grid()

    def _check_grid(self) -> None:
        """Check that the tensor group can form a 2D grid."""
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
        """Return the number of chips of one replica."""
        return self.tensor * self.pipeline

    @property
    def chips(self) -> int:
        """Return the number of chips of all replicas."""
        return self.replica_chips * self.data

    def __str__(self) -> str:
        """Return the strategy in the form that `parse_strategy` reads."""
        return ",".join(
            f"{field.name}={getattr(self, field.name)}"
            for field in fields(self)
            if getattr(self, field.name) != field.default
        )


def parse_strategy(text: str, chips: int) -> Strategy:
    """Return the parallelism strategy that `text` describes.

    A missing ``tensor`` or ``pipeline`` becomes as large as the chips allow.

    Parameters
    ----------
    text
        ``tensor=T,pipeline=P`` in any order; one of the two may be left out. Optional
        keys are ``data=D``, ``expert=E``, ``attention=A``, ``layout=2d`` and
        ``routing=balanced``.
    chips
        Chips that are available.

    Raises
    ------
    PlanError
        If a key is unknown or given twice, a value is invalid, the values contradict
        each other, or the strategy needs more chips than are available.

    Examples
    --------
    >>> str(parse_strategy("tensor=8", 576))
    'tensor=8,pipeline=72'
    >>> str(parse_strategy("tensor=8,data=2", 576))
    'tensor=8,pipeline=36,data=2'
    """
    values: dict[str, Any] = {}
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        key, _, value = (piece.strip() for piece in part.partition("="))
        if key not in _KEYS:
            raise PlanError(f"strategy {text!r}: no key {key!r}; {nearest(key, _KEYS)}")
        if key in values:
            raise PlanError(f"strategy {text!r}: {key} is given twice")
        values[key] = _parsed_value(text, key, value)
    if not values:
        raise PlanError(f"strategy {text!r} is empty; write tensor=8,pipeline=72")
    if not values.keys() & set(_SIZES):
        raise PlanError(
            f"strategy {text!r} names no split; write tensor=8,{text.strip(' ,')}"
        )
    replica_chips = chips // values.get("data", 1)
    for name, other in (_SIZES, _SIZES[::-1]):
        values.setdefault(name, max(1, replica_chips // values.get(other, 1)))
    strategy = Strategy(**values)
    if strategy.chips > chips:
        raise PlanError(
            f"{strategy} takes {_product(strategy)} = "
            f"{strategy.chips} chips but {chips} are there; "
            f"use --chips {strategy.chips}, or {_smaller(strategy, chips)}"
        )
    return strategy


def _parsed_value(text: str, key: str, value: str) -> int | StrEnum:
    """Return the value of a key of the strategy `text` as a number or a choice."""
    if key in _CHOICES:
        choices = [str(choice) for choice in _CHOICES[key]]
        if value not in choices:
            expected = " or ".join(choices)
            raise PlanError(
                f"strategy {text!r}: {key} is {value!r}, expected {expected}"
            )
        return _CHOICES[key](value)
    if not value.isdecimal() or int(value) < 1:
        raise PlanError(
            f"strategy {text!r}: {key} needs a number of at least 1, "
            f"as in tensor=8,pipeline=72"
        )
    return int(value)


def _nearest_divisor(number: int, wanted: int) -> int:
    """Return the divisor of `number` nearest to `wanted`, the smaller one of two."""
    divisors = (part for part in range(1, number + 1) if number % part == 0)
    return min(divisors, key=lambda part: (abs(part - wanted), part))


def _product(strategy: Strategy) -> str:
    """Return the chips of a strategy as a product of its sizes, for messages."""
    factors = [strategy.tensor, strategy.pipeline]
    if strategy.data > 1:
        factors.append(strategy.data)
    return " x ".join(map(str, factors))


def _smaller(strategy: Strategy, chips: int) -> Strategy:
    """Return a similar strategy on at most `chips`: fewer replicas, then stages."""
    if strategy.replica_chips <= chips:
        return replace(strategy, data=chips // strategy.replica_chips)
    if strategy.tensor <= chips:
        return replace(strategy, pipeline=chips // strategy.tensor, data=1)
    return Strategy(tensor=chips, pipeline=1)
