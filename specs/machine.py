"""The machine as frozen values with units: chip, link, FEC and formats."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from specs.errors import SpecError, nearest
from specs.fec import FecSpec
from specs.formats import Format
from specs.host_link import HostSpec
from specs.link import LinkSpec
from specs.shipped_files import shipped_names, shipped_path
from specs.synchronisation import ClockSpec, DeskewSpec, HacSpec
from specs.system import PowerSpec, SystemSpec
from specs.units import PS_PER_S
from specs.validation import Spec, build, read_mapping

# A key of the file, not of the machine.
_BASE = "base"


class ChipSpec(Spec):
    """One tensor streaming processor (TSP); ``groqrack.toml`` sources each number.

    Parameters
    ----------
    clock_hz
        Nominal core clock.
    mxm_fp16_macs_per_cycle, mxm_int8_macs_per_cycle
        Multiply-accumulates of the matrix unit in one cycle.
    lanes, vxm_alus
        Elements a vector instruction works on, and ALUs per lane that can be chained.
    sram_bytes, sram_bytes_per_cycle, stream_bytes_per_cycle
        Memory, its bandwidth, and the bandwidth of all streams together.
    weight_feed_bytes_per_cycle
        Effective rate at which weights reach the matrix unit at batch 1.
    matmul_fill_cycles, vector_fill_cycles
        Fixed cost of one matrix or vector operator: the pipeline's fill.
    mxm_planes, mxm_buffer_bytes
        Planes of the matrix unit, and what their buffers hold beside what is installed.
    mem_slices, sxm_slices
        Slices of memory, and of the units that move data across lanes.
    prefetch
        Whether weights of the next product load while nothing else does.
    operand_bytes
        Bytes per weight fed to the matrix unit; storage may be narrower.
    send_cycles, receive_cycles
        SRAM to the wire, and receive FIFO to SRAM.
    sync_cycles
        SYNC until all queues run.
    instruction_bytes, program_reserve_bytes
        Size of one instruction and SRAM kept for the program text.
    ports
        Chip-to-chip ports wired.
    """

    # In Hz: a clock of 900 or of 900 million is a mistake or a machine.
    clock_hz: int = Field(ge=10**6, le=3 * 10**9)
    mxm_fp16_macs_per_cycle: int = Field(gt=0)
    mxm_int8_macs_per_cycle: int = Field(gt=0)
    lanes: int = Field(gt=0)
    vxm_alus: int = Field(gt=0)
    sram_bytes: int = Field(gt=0)
    sram_bytes_per_cycle: int = Field(gt=0)
    stream_bytes_per_cycle: int = Field(gt=0)
    weight_feed_bytes_per_cycle: int = Field(gt=0)
    matmul_fill_cycles: int = Field(ge=0)
    vector_fill_cycles: int = Field(ge=0)
    mxm_planes: int = Field(gt=0)
    mxm_buffer_bytes: int = Field(ge=0)
    mem_slices: int = Field(gt=0)
    sxm_slices: int = Field(gt=1)
    prefetch: bool
    operand_bytes: int = Field(ge=1, le=4)
    send_cycles: int = Field(ge=0)
    receive_cycles: int = Field(ge=0)
    sync_cycles: int = Field(ge=0)
    instruction_bytes: int = Field(gt=0)
    program_reserve_bytes: int = Field(ge=0)
    ports: int = Field(gt=0)

    @model_validator(mode="after")
    def _memory_holds_more_than_the_program(self) -> Self:
        if self.sram_bytes <= self.program_reserve_bytes:
            raise ValueError(
                f"sram_bytes {self.sram_bytes} leaves nothing beside "
                f"program_reserve_bytes {self.program_reserve_bytes}"
            )
        return self


class FormatsSpec(Spec):
    """Number formats of what a chip stores and sends."""

    weights: Format
    activations: Format
    kv_cache: Format


class MachineSpec(Spec):
    """Everything about the hardware but its wiring.

    Parameters
    ----------
    name
        What the machine is called in tables.
    spares
        Nodes of each rack that are kept idle to stand in for a bad one.
    system
        Its size and wiring; a scenario decides these, so they are no settings.
    """

    name: str
    spares: int = Field(ge=0, le=8)
    system: SystemSpec
    chip: ChipSpec
    link: LinkSpec
    clock: ClockSpec
    hac: HacSpec
    deskew: DeskewSpec
    fec: FecSpec
    formats: FormatsSpec
    host: HostSpec
    power: PowerSpec

    def with_settings(self, settings: Mapping[str, Any], origin: str = "--set") -> Self:
        """Return this machine with dotted paths such as ``link.ber`` set anew.

        Parameters
        ----------
        settings
            Values by path.
        origin
            Where they come from, for the message.

        Raises
        ------
        SpecError
            If a path does not exist (the nearest is named) or a value is refused.
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
        """Return whether the crystals differ."""
        return self.clock.largest_error_ppm > 0

    @property
    def deskews(self) -> bool:
        """Return whether chips run RUNTIME_DESKEW at all."""
        return self.deskew.interval_epochs != 0

    @property
    def reference_latency_cycles(self) -> int:
        """Return the least latency of a link of the reference length, with its decoder.

        In cycles of the nominal clock; `cable_extra_ps` is what a longer cable adds.
        """
        return self.link.latency_cycles + self.fec.parameters.decode_cycles

    def cable_extra_ps(self, length_m: NDArray[np.float64]) -> NDArray[np.int64]:
        """Return what each cable adds over the reference length, in ps, 0 at least."""
        extra_m = np.maximum(0.0, length_m - self.link.reference_length_m)
        extra_ps: NDArray[np.int64] = np.rint(
            extra_m * self.link.flight_ps_per_m
        ).astype(np.int64)
        return extra_ps

    def cycles_to_ps(self, cycles: int) -> int:
        """Return `cycles` of the nominal clock in ps, rounded down."""
        return cycles * PS_PER_S // self.chip.clock_hz


def setting_paths(machine: MachineSpec) -> list[str]:
    """Return every dotted path that ``--set`` takes."""
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
    """Return the names of the shipped machines, sorted."""
    return shipped_names("machines", ".toml")


def load_machine(name_or_path: str | Path = "groqrack") -> MachineSpec:
    """Return a shipped machine by name, or the machine of a TOML file.

    A file that says ``base = "groqrack"`` gives only what differs from that machine.

    Raises
    ------
    SpecError
        If neither exists, a key is unknown or missing, or a value out of range.
    """
    text = str(name_or_path)
    return _shipped(text) if text in machine_names() else _read(_path(text))


@cache
def _shipped(name: str) -> MachineSpec:
    # A sweep asks for it at each of its points.
    return _read(_path(name))


def _read(path: Path) -> MachineSpec:
    content = read_mapping(path)
    base = content.pop(_BASE, None)
    if base is not None:
        if base not in machine_names():
            raise SpecError(
                f"{path.name}: base = {base!r} is no shipped machine; "
                f"{nearest(str(base), machine_names())}"
            )
        content = _over(read_mapping(_path(base)), content)
    return build(MachineSpec, content, path.name)


def _path(text: str) -> Path:
    """Return the file of a machine, by name or as it is."""
    if text in machine_names():
        return shipped_path("machines", f"{text}.toml")
    path = Path(text)
    if not path.exists() and path.suffix != ".toml":
        raise SpecError(
            f"no machine {text!r} is shipped and no such file is in {Path.cwd()}; "
            f"{nearest(text, machine_names())}"
        )
    return path


def _over(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the tables of a machine with some keys changed or added."""
    merged = dict(base)
    for key, value in changes.items():
        inner = merged.get(key)
        if isinstance(value, dict) and isinstance(inner, dict):
            merged[key] = {**inner, **value}
        else:
            merged[key] = value
    return merged
