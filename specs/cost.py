"""Cost specification: prices and power as readings, each with its source and date."""

from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, Self

from pydantic import Field, model_validator

from specs.errors import SpecError, nearest
from specs.shipped_files import shipped_names, shipped_path
from specs.validation import Spec, build, read_mapping

DEFAULT = "default"
# What a value given on the command line names as its source.
GIVEN = "given"
_DATE = rf"^(\d{{4}}(-\d{{2}}){{0,2}}|{GIVEN})$"
_MOST = 1e12


class Range(NamedTuple):
    """Range of a value: the least and the greatest that sources support."""

    low: float
    high: float

    def __str__(self) -> str:
        """Return ``low..high``, or one number if they are equal."""
        return (
            f"{self.low:g}" if self.low == self.high else f"{self.low:g}..{self.high:g}"
        )


class Reading(Spec):
    """What a source says of a value, when, and of what exactly."""

    value: float = Field(ge=0, le=_MOST)
    source: str
    date: str = Field(pattern=_DATE)
    note: str = ""


Readings = tuple[Reading, ...]


class Source(Spec):
    """Public document: its title, who published it, and when."""

    title: str = Field(min_length=1)
    publisher: str = Field(min_length=1)
    date: str = Field(min_length=4)


class Facility(Spec):
    """What all hardware shares.

    Parameters
    ----------
    electricity_usd_per_kwh
        Price of electricity.
    pue
        Power of the building over that of its machines.
    years
        Over how long a purchase is written off.
    utilisation
        Share of the hours in which the load is there; in the others chips idle.
    """

    electricity_usd_per_kwh: Readings = ()
    pue: Readings = ()
    years: Readings = ()
    utilisation: Readings = ()


class Hardware(Spec):
    """Price and power of devices, hosts and racks; no reading: not published.

    Parameters
    ----------
    device
        Name of the device.
    machines
        Machines that are made of it.
    devices_per_host, devices_per_rack
        How many share a host, and a rack.
    device_usd, host_usd, rack_usd
        Prices of purchase; of a host and a rack without devices.
    device_hour_usd
        Rent of a device, in which all else is included.
    device_w, host_w, rack_w
        Power of one; a device of a machine file has the power that is stated there.
    """

    device: str
    machines: tuple[str, ...] = ()
    devices_per_host: int = Field(default=1, ge=1)
    devices_per_rack: int = Field(default=1, ge=1)
    device_usd: Readings = ()
    host_usd: Readings = ()
    rack_usd: Readings = ()
    device_hour_usd: Readings = ()
    device_w: Readings = ()
    host_w: Readings = ()
    rack_w: Readings = ()


class ListPrice(Spec):
    """What users of an API are charged for a million tokens, in $."""

    provider: str
    model: str
    input_usd: float = Field(ge=0, le=_MOST)
    output_usd: float = Field(ge=0, le=_MOST)
    source: str
    date: str = Field(pattern=_DATE)


class CostSpec(Spec):
    """Prices and power of a facility and of hardware by machine, and list prices."""

    name: str = DEFAULT
    facility: Facility
    hardware: dict[str, Hardware]
    list_prices: tuple[ListPrice, ...] = ()
    sources: dict[str, Source]

    @model_validator(mode="after")
    def _names_its_sources(self) -> Self:
        for path, readings in self.readings().items():
            for each in readings:
                _check_source(path, each.source, self.sources)
        for price in self.list_prices:
            _check_source(f"list_prices {price.model}", price.source, self.sources)
        return self

    @model_validator(mode="after")
    def _can_be_divided_by(self) -> Self:
        facility = self.facility
        for name, least in (("years", 0.0), ("utilisation", 0.0), ("pue", 1.0)):
            for each in getattr(facility, name):
                outside = each.value < least or not each.value
                if outside or (name == "utilisation" and each.value > 1):
                    wanted = {"years": "> 0", "pue": ">= 1"}.get(name, "> 0 and <= 1")
                    raise ValueError(
                        f"facility.{name} = {each.value:g}: must be {wanted}"
                    )
        return self

    def readings(self) -> dict[str, tuple[Reading, ...]]:
        """Return the readings of every value, by dotted path."""
        tables: dict[str, Spec] = {"facility": self.facility}
        tables |= {f"hardware.{name}": each for name, each in self.hardware.items()}
        return {
            f"{path}.{name}": value
            for path, table in tables.items()
            for name, value in table
            if isinstance(value, tuple) and name != "machines"
        }

    def hardware_of(self, machine: str) -> str | None:
        """Return the name of the hardware of a machine; None if it has none."""
        of = (name for name, each in self.hardware.items() if machine in each.machines)
        return next(of, None)

    def range_of(self, path: str) -> Range | None:
        """Return the range of a value by dotted path; None if nothing is published.

        Raises
        ------
        SpecError
            If there is no such path.
        """
        values = [each.value for each in self._at(path)]
        return Range(min(values), max(values)) if values else None

    def with_values(self, values: Mapping[str, Any]) -> Self:
        """Return this specification with values by dotted path, each one number.

        Raises
        ------
        SpecError
            If a path does not exist, or a value is out of range.
        """
        content = self.model_dump()
        for path, value in values.items():
            self._at(path)
            *parents, last = path.split(".")
            table = content
            for parent in parents:
                table = table[parent]
            table[last] = [{"value": value, "source": GIVEN, "date": GIVEN}]
        content["sources"].setdefault(
            GIVEN,
            {"title": "Given by the user", "publisher": "command line", "date": GIVEN},
        )
        return build(type(self), content, "--set")

    def _at(self, path: str) -> tuple[Reading, ...]:
        """Return the readings at a dotted path."""
        known = self.readings()
        if path not in known:
            raise SpecError(f"cost.{path}: no such value; {nearest(path, known)}")
        return known[path]


def _check_source(path: str, source: str, known: Iterable[str]) -> None:
    """Refuse a price whose source is not listed."""
    if source not in known:
        raise ValueError(
            f"{path}: source {source!r} is not in [sources]; {nearest(source, known)}"
        )


@cache
def cost_names() -> tuple[str, ...]:
    """Return the names of the shipped cost specifications, sorted.

    >>> cost_names()
    ('default',)
    """
    return shipped_names("costs", ".toml")


def load_costs(path: str | Path | None = None) -> CostSpec:
    """Return the shipped cost specification, with what a TOML file says instead.

    Parameters
    ----------
    path
        File with the values that differ, None for none. It replaces the readings of a
        value, adds hardware and sources, and replaces list prices if it has any. A
        value is published no more if its list is empty.

    Raises
    ------
    SpecError
        If a key is unknown, a value out of range, or a source not named.
    """
    content = read_mapping(shipped_path("costs", f"{DEFAULT}.toml"))
    origin = f"{DEFAULT}.toml"
    if path is not None:
        content, origin = _merged(content, read_mapping(Path(path))), str(path)
    return build(CostSpec, content, origin)


def _merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return nested tables with keys changed or added."""
    merged = dict(base)
    for key, value in changes.items():
        inner = merged.get(key)
        both = isinstance(value, dict) and isinstance(inner, dict)
        merged[key] = _merged(inner, value) if both else value  # type: ignore[arg-type]
    return merged
