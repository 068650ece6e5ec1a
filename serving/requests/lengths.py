"""Lengths of prompts and answers: constant, lognormal, or a histogram."""

from typing import Literal, Self

import numpy as np
from pydantic import Field, model_validator

from specs.arrays import Ints
from specs.validation import Spec


class LengthSpec(Spec):
    """Distribution of a length in tokens.

    Parameters
    ----------
    kind
        ``constant``, ``lognormal`` or ``histogram``.
    tokens
        The length, if it is constant.
    median, sigma
        Of a lognormal length: its median, and the deviation of its logarithm.
    min, max
        Lengths are clipped to this range; no upper end if 0.
    values, weights
        Lengths of a histogram, and how often each of them occurs.
    """

    kind: Literal["constant", "lognormal", "histogram"] = "constant"
    tokens: int = Field(default=0, ge=0)
    median: float = Field(default=0, ge=0)
    sigma: float = Field(default=0, ge=0)
    min: int = Field(default=1, ge=1)
    max: int = Field(default=0, ge=0)
    values: tuple[int, ...] = ()
    weights: tuple[float, ...] = ()

    @model_validator(mode="after")
    def _has_what_its_kind_needs(self) -> Self:
        if self.kind == "constant" and not self.tokens:
            raise ValueError("a constant length needs tokens > 0")
        if self.kind == "lognormal" and not self.median:
            raise ValueError("a lognormal length needs median > 0")
        if self.kind == "histogram":
            if not self.values or len(self.values) != len(self.weights):
                raise ValueError(
                    f"a histogram needs a weight for each value, got "
                    f"{len(self.values)} values and {len(self.weights)} weights"
                )
            if min(self.weights) < 0 or not sum(self.weights):
                raise ValueError("weights must be >= 0, and one of them > 0")
        if self.max and self.max < self.min:
            raise ValueError(f"max {self.max} is below min {self.min}")
        return self


def drawn_lengths(spec: LengthSpec, count: int, random: np.random.Generator) -> Ints:
    """Return lengths drawn from a distribution, shape ``(count,)``.

    Parameters
    ----------
    spec
        The distribution.
    count, random
        How many, and the source of chance.
    """
    if spec.kind == "constant":
        drawn = np.full(count, spec.tokens, dtype=np.int64)
    elif spec.kind == "lognormal":
        logs = random.normal(np.log(spec.median), spec.sigma, count)
        drawn = np.rint(np.exp(np.minimum(logs, 40))).astype(np.int64)
    else:
        weights = np.array(spec.weights) / sum(spec.weights)
        values = np.array(spec.values, dtype=np.int64)
        drawn = random.choice(values, count, p=weights)
    clipped: Ints = np.clip(drawn, spec.min, spec.max or None)
    return clipped
