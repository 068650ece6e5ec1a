"""Machine specification: chip, link, clock, FEC and number formats, with units."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Self

import numpy as np
from pydantic import Field

from specs.arrays import Floats, Ints
from specs.chip import ChipSpec
from specs.compiler import CompilerSpec
from specs.errors import SpecError, nearest
from specs.failover import FailoverSpec
from specs.fec import FecSpec
from specs.floor import FloorSpec
from specs.host_link import HostSpec
from specs.input_files import is_there, shown
from specs.line_rate import LineRate, line_rate
from specs.link import LinkSpec
from specs.machine_formats import FormatsSpec
from specs.shipped_files import shipped_as, shipped_names, shipped_path
from specs.short_repr import html_table, short_repr
from specs.synchronisation import ClockSpec, DeskewSpec, HacSpec
from specs.system import PowerSpec, SystemSpec
from specs.units import PS_PER_S
from specs.validation import Spec, build, read_mapping

# A key of the file that is not a field of the machine.
_BASE = "base"


class MachineSpec(Spec):
    """Hardware of a machine except its topology.

    Parameters
    ----------
    name
        Name in tables.
    spares
        Spare nodes per rack, which stay idle for failover.
    system
        Default size and topology; a scenario decides them, so they are not settings.
    """

    name: str
    spares: int = Field(ge=0, le=8)
    system: SystemSpec
    floor: FloorSpec
    chip: ChipSpec
    link: LinkSpec
    clock: ClockSpec
    hac: HacSpec
    deskew: DeskewSpec
    fec: FecSpec
    formats: FormatsSpec
    host: HostSpec
    failover: FailoverSpec
    power: PowerSpec
    compiler: CompilerSpec = CompilerSpec()

    __repr__ = short_repr
    _repr_html_ = html_table

    def with_settings(self, settings: Mapping[str, Any], origin: str = "--set") -> Self:
        """Return this machine with values at paths such as ``link.ber`` replaced.

        Parameters
        ----------
        settings
            New values by path.
        origin
            Origin of the settings, for messages.

        Raises
        ------
        SpecError
            If a path does not exist (the message names the nearest) or a value is
            invalid.
        """
        content = self.model_dump()
        known = setting_paths(self)
        for path, value in settings.items():
            if path not in known:
                raise SpecError(f"{origin} {path}: no such key; {nearest(path, known)}")
            *parents, last = path.split(".")
            table = content
            for parent in parents:
                table = table[parent]
            table[last] = value
        return build(type(self), content, origin)

    @property
    def drifts(self) -> bool:
        """Return whether the crystals deviate from the nominal frequency."""
        return self.clock.largest_error_ppm > 0

    @property
    def deskews(self) -> bool:
        """Return whether chips run RUNTIME_DESKEW."""
        return self.deskew.interval_epochs != 0

    @property
    def reference_latency_cycles(self) -> int:
        """Return the least latency of a link of reference length, decoder included.

        In cycles of the nominal clock; `cable_extra_ps` is the extra of a longer cable.
        """
        return self.link.latency_cycles + self.fec.parameters.decode_cycles

    @property
    def line(self) -> LineRate:
        """Return the line rate of a link under the machine's FEC code and clock."""
        return line_rate(
            vector_bytes=self.link.vector_bytes,
            wire_bytes=self.link.wire_bytes,
            rate_gbps=self.link.rate_gbps,
            clock_hz=self.chip.clock_hz,
            expansion=self.fec.parameters.expansion,
        )

    @property
    def protected_bytes(self) -> int:
        """Return the bytes of a vector that FEC codewords carry.

        Check symbols in a frame protect its payload; those sent besides protect frames.
        """
        in_frame = self.fec.parameters.in_frame
        return self.link.vector_bytes if in_frame else self.link.wire_bytes

    def cable_extra_ps(self, length_m: Floats) -> Ints:
        """Return the delay of each cable beyond the reference length, in ps, or 0."""
        extra_m = np.maximum(0.0, length_m - self.link.reference_length_m)
        extra_ps: Ints = np.rint(extra_m * self.link.flight_ps_per_m).astype(np.int64)
        return extra_ps

    def cycles_to_ps(self, cycles: int) -> int:
        """Return `cycles` of the nominal clock in ps, rounded down."""
        return cycles * PS_PER_S // self.chip.clock_hz


def setting_paths(machine: MachineSpec) -> list[str]:
    """Return every dotted path of a machine spec that ``--set`` accepts."""
    paths = []
    for key, value in machine.model_dump().items():
        if key == "system":
            continue
        if isinstance(value, dict):
            paths += [f"{key}.{inner}" for inner in value]
        elif key != "name":
            paths.append(key)
    return paths


@cache
def machine_names() -> tuple[str, ...]:
    """Return the names of the shipped machine specs, sorted."""
    return shipped_names("machines", ".toml")


def load_machine(name_or_path: str | Path = "groqrack") -> MachineSpec:
    """Return a shipped machine spec by name, or the machine of a TOML file.

    A file with ``base = "groqrack"`` gives only the values that differ from it.

    Raises
    ------
    SpecError
        If neither exists, a key is unknown or missing, or a value is out of range.
    """
    text = str(name_or_path)
    return _shipped(text) if text in machine_names() else _read(_path(text))


@cache
def _shipped(name: str) -> MachineSpec:
    """Return a shipped machine spec, kept since a sweep needs it at each point."""
    return _read(_path(name))


def _read(path: Path) -> MachineSpec:
    """Return the machine spec of a file, completed by its base."""
    content = read_mapping(path)
    base = content.pop(_BASE, None)
    if base is not None:
        if base not in machine_names():
            raise SpecError(
                f"{path.name}: base = {base!r} is no shipped machine; "
                f"{nearest(str(base), machine_names())}"
            )
        content = _merged(read_mapping(_path(base)), content)
    return build(MachineSpec, content, path.name)


def _path(text: str) -> Path:
    """Return the path of a shipped machine spec by name, or the path that `text` is."""
    text = shipped_as(text, machine_names())
    if text in machine_names():
        return shipped_path("machines", f"{text}.toml")
    path = Path(text)
    if not is_there(path) and path.suffix != ".toml":
        raise SpecError(
            f"no machine {shown(text)} is shipped and no such file is in {Path.cwd()}; "
            f"{nearest(text, machine_names())}"
        )
    return path


def _merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the tables of a machine spec with keys changed or added."""
    merged = dict(base)
    for key, value in changes.items():
        inner = merged.get(key)
        if isinstance(value, dict) and isinstance(inner, dict):
            merged[key] = {**inner, **value}
        else:
            merged[key] = value
    return merged
