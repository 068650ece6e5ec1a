"""Fault script: link and chip failures of a run, each with its time."""

from pathlib import Path
from typing import ClassVar

from pydantic import Field, model_validator

from specs.errors import SpecError, nearest
from specs.validation import Spec, build, read_mapping


class Fault(Spec):
    """Fault at a given time.

    Parameters
    ----------
    at_us
        Time of the fault, in us from the start of the first token.
    """

    at_us: float = Field(ge=0)


class LinkDies(Fault):
    """Permanent failure of a cable in both directions.

    Parameters
    ----------
    link
        Either directed link of the cable, numbered as in ``links.csv``.
    """

    kind: ClassVar[str] = "link-dies"
    link: int = Field(ge=0)


class LinkErrorRate(Fault):
    """Interval in which a link has another bit error rate.

    Parameters
    ----------
    link
        Directed link, numbered as in ``links.csv``.
    ber
        Bit error rate before error correction.
    until_us
        End of the interval, in us from the start of the first token.
    """

    kind: ClassVar[str] = "link-ber"
    link: int = Field(ge=0)
    ber: float = Field(ge=0, lt=0.5)
    until_us: float = Field(gt=0)

    @model_validator(mode="after")
    def _end_is_after_begin(self) -> "LinkErrorRate":
        if self.until_us <= self.at_us:
            raise ValueError(
                f"until_us {self.until_us:g} must be after at_us {self.at_us:g}"
            )
        return self


class ChipStops(Fault):
    """Permanent failure of a chip: it issues no further instruction.

    Parameters
    ----------
    chip
        Number of the chip, as in ``chips.csv``.
    """

    kind: ClassVar[str] = "chip-stops"
    chip: int = Field(ge=0)


_KINDS: dict[str, type[Fault]] = {
    kind.kind: kind for kind in (LinkDies, LinkErrorRate, ChipStops)
}


def load_faults(path: str | Path) -> tuple[Fault, ...]:
    """Return the faults that a TOML file specifies, one per ``[[fault]]`` table.

    Raises
    ------
    SpecError
        If the file cannot be read, or a fault has an invalid key or value.
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
        if not isinstance(kind, str) or kind not in _KINDS:
            raise SpecError(
                f"{origin}: kind = {kind!r}: {nearest(str(kind), _KINDS)}"
                if kind is not None
                else f"{origin}: key 'kind' is missing; {nearest('', _KINDS)}"
            )
        rest = {key: value for key, value in table.items() if key != "kind"}
        faults.append(build(_KINDS[kind], rest, origin))
    return tuple(faults)
