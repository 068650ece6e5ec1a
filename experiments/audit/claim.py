"""Claim of a public document, and the outcome that measurements give on it."""

from collections.abc import Sequence
from enum import StrEnum
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from specs.cost import Source
from specs.validation import Spec, build, read_mapping

# Numbers are compared as they are printed.
DIGITS = 4


class Outcome(StrEnum):
    """What measurements say of a claim."""

    HOLDS = "holds"
    DOES_NOT_HOLD = "does not hold"
    DEPENDS = "depends"
    NOT_COMPUTED = "not computed"


class Claim(Spec):
    """Claim of public documents.

    Parameters
    ----------
    topic, claim
        Where it belongs, and what is claimed, in our words.
    least, most
        The numbers that meet it.
    unit
        Their unit, and that of the measurements.
    sources
        Keys of the documents.
    measures
        Names of the measurements.
    depends_on
        What decides, if some measurements meet it and others do not.
    remark
        What a reader should know of it.
    command
        Command that shows it.
    """

    topic: str
    claim: str
    least: float | None = None
    most: float | None = None
    unit: str
    sources: tuple[str, ...] = Field(min_length=1)
    measures: tuple[str, ...] = Field(min_length=1)
    depends_on: str = ""
    remark: str = ""
    command: str

    @model_validator(mode="after")
    def _can_be_met(self) -> Self:
        if self.least is None and self.most is None:
            raise ValueError(f"claim {self.claim!r} says no number; give least or most")
        return self

    @property
    def claimed(self) -> str:
        """Return the numbers that meet the claim, as text."""
        if self.least is None:
            return f"at most {self.most:g}"
        if self.most is None:
            return f"at least {self.least:g}"
        if self.least == self.most:
            return f"{self.least:g}"
        return f"{self.least:g} to {self.most:g}"

    def met_by(self, value: float) -> bool:
        """Return whether a number meets the claim, compared as it is printed."""
        shown = printed(value)
        least = float("-inf") if self.least is None else self.least
        most = float("inf") if self.most is None else self.most
        return least <= shown <= most


class Claims(Spec):
    """Claims with their documents."""

    claims: tuple[Claim, ...]
    sources: dict[str, Source]

    @model_validator(mode="after")
    def _name_their_sources(self) -> Self:
        cited = {key for claim in self.claims for key in claim.sources}
        if cited != self.sources.keys():
            odd = sorted(cited ^ self.sources.keys())
            raise ValueError(f"sources {odd} are not cited, or not listed")
        return self


def printed(value: float) -> float:
    """Return a number to as many digits as are printed.

    >>> printed(1.00000001), printed(319.96)
    (1.0, 320.0)
    """
    return float(f"{value:.{DIGITS}g}")


def outcome_of(claim: Claim, values: Sequence[float | None]) -> Outcome:
    """Return what measurements say of a claim.

    Parameters
    ----------
    claim
        The claim.
    values
        A number for each of its measurements; None for one that cannot be computed.

    Returns
    -------
    Outcome
        Of those that can: all meet it, none does, or some do.
    """
    met = [claim.met_by(value) for value in values if value is not None]
    if not met:
        return Outcome.NOT_COMPUTED
    if all(met):
        return Outcome.HOLDS
    return Outcome.DEPENDS if any(met) else Outcome.DOES_NOT_HOLD


def claims_path() -> Path:
    """Return the path of the shipped claims."""
    return Path(str(resources.files("experiments.audit").joinpath("claims.toml")))


@cache
def load_claims() -> Claims:
    """Return the shipped claims.

    Raises
    ------
    SpecError
        If one cannot be meant.
    """
    return build(Claims, read_mapping(claims_path()), "claims.toml")
