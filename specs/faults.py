"""A fault script: what breaks in the machine, and when."""

from pathlib import Path
from typing import ClassVar

from pydantic import Field, model_validator

from specs.errors import SpecError, nearest
from specs.validation import Spec, build, read_mapping


class Fault(Spec):
    """Something that breaks.

    Parameters
    ----------
    at_us
        When, in us from the start of the first token.
    """

    at_us: float = Field(ge=0)


class LinkDies(Fault):
    """A cable breaks: from then on neither direction carries anything.

    Parameters
    ----------
    link
        Either of its directed links, numbered as in ``links.csv``.
    """

    kind: ClassVar[str] = "link-dies"
    link: int = Field(ge=0)


class LinkErrorRate(Fault):
    """A bit error rate holds on a link for some time.

    Parameters
    ----------
    link
        Directed link, numbered as in ``links.csv``.
    ber
        Bit error rate before correction.
    until_us
        When the link is as before, in us from the start of the first token.
    """

    kind: ClassVar[str] = "link-ber"
    link: int = Field(ge=0)
    ber: float = Field(ge=0, lt=0.5)
    until_us: float = Field(gt=0)

    @model_validator(mode="after")
    def _it_ends_after_it_begins(self) -> "LinkErrorRate":
        if self.until_us <= self.at_us:
            raise ValueError(
                f"until_us {self.until_us:g} must be after at_us {self.at_us:g}"
            )
        return self


class ChipStops(Fault):
    """A chip stops: from then on it issues nothing.

    Parameters
    ----------
    chip
        Which one, numbered as in ``chips.csv``.
    """

    kind: ClassVar[str] = "chip-stops"
    chip: int = Field(ge=0)


_KINDS: dict[str, type[Fault]] = {
    kind.kind: kind for kind in (LinkDies, LinkErrorRate, ChipStops)
}


def load_faults(path: str | Path) -> tuple[Fault, ...]:
    """Return the faults of a TOML file, one for each ``[[fault]]`` table.

    Raises
    ------
    SpecError
        If the file cannot be read, or a fault has a key or value that cannot be meant.
    """
    content = read_mapping(Path(path))
    unknown = sorted(set(content) - {"fault"})
    if unknown:
        raise SpecError(f"{path}: there is no key {unknown[0]!r}; write [[fault]]")
    tables = content.get("fault", [])
    if not isinstance(tables, list) or not all(isinstance(t, dict) for t in tables):
        raise SpecError(f"{path}: 'fault' must be tables; write [[fault]]")
    faults = []
    for number, table in enumerate(tables, start=1):
        origin = f"{path}: fault {number}"
        kind = table.get("kind")
        if kind not in _KINDS:
            raise SpecError(
                f"{origin}: kind = {kind!r}: {nearest(str(kind), _KINDS)}"
                if kind is not None
                else f"{origin}: key 'kind' is missing; {nearest('', _KINDS)}"
            )
        rest = {key: value for key, value in table.items() if key != "kind"}
        faults.append(build(_KINDS[kind], rest, origin))
    return tuple(faults)
