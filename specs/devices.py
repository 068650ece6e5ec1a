"""Devices beside a machine: published peaks, bounds from them, and measured steps."""

import math
from functools import cache
from pathlib import Path

from pydantic import Field

from specs.errors import SpecError, nearest
from specs.input_files import is_there
from specs.shipped_files import shipped_path
from specs.step_law import StepLaw
from specs.validation import Spec, build, read_mapping

_FLOPS_PER_TFLOPS = 1e12
_BYTES_PER_GB = 1e9
_BYTES_PER_TB = 1e12


class DeviceSpec(Spec):
    """Peaks of one accelerator; ``devices.toml`` gives source and year of each number.

    Parameters
    ----------
    name
        Name in figures.
    announced
        Year in which it was announced; None if not known.
    compute_tflops
        Peak in 10^12 operations/s; a multiply-accumulate counts as two.
    compute_fp8_tflops
        The same with operands of eight bits; None if it is not known.
    memory_tb_per_s, memory_gb
        Bandwidth and size of the memory that holds the weights, in 10^12 B/s and
        10^9 B.
    tdp_w
        Thermal design power, in W; None if not published, or if a machine file states
        it.
    step_law
        Time of a step of continuous batching, fitted to one model; None without a fit.
    """

    name: str
    announced: int | None = None
    compute_tflops: float = Field(gt=0)
    compute_fp8_tflops: float | None = Field(default=None, gt=0)
    memory_tb_per_s: float = Field(gt=0)
    memory_gb: float = Field(gt=0)
    tdp_w: float | None = Field(default=None, gt=0)
    step_law: StepLaw | None = None

    @property
    def ridge_flop_per_byte(self) -> float:
        """Return the arithmetic intensity above which compute is the bound."""
        return self.compute_tflops / self.memory_tb_per_s

    def holding(self, payload_bytes: float) -> int:
        """Return the number of devices whose memory holds a payload alone."""
        return math.ceil(payload_bytes / (self.memory_gb * _BYTES_PER_GB))

    def bound_s(
        self, *, flop: float, read_bytes: float, devices: int = 1, fp8: bool = False
    ) -> float:
        """Return the roofline bound on the time of work that `devices` share evenly.

        The bound omits communication, launch overhead and utilisation below peak.

        Parameters
        ----------
        flop
            Operations.
        read_bytes
            Bytes that are read from memory.
        devices
            Number of devices.
        fp8
            Whether operands have eight bits; without a rate for them FP16's counts.
        """
        tflops = (fp8 and self.compute_fp8_tflops) or self.compute_tflops
        compute_s = flop / (tflops * _FLOPS_PER_TFLOPS)
        memory_s = read_bytes / (self.memory_tb_per_s * _BYTES_PER_TB)
        return max(compute_s, memory_s) / devices


@cache
def devices() -> dict[str, DeviceSpec]:
    """Return the shipped device specs by name."""
    return _devices_in(shipped_path("devices.toml"))


def load_device(name_or_path: str) -> DeviceSpec:
    """Return a shipped device spec by name, or the one of a TOML file.

    Parameters
    ----------
    name_or_path
        Name such as ``"h100"``; or a file with one table, or with several and the name
        of one behind a colon, as in ``mine.toml:next``.

    Raises
    ------
    SpecError
        If there is no such device, or a number is missing or wrong.
    """
    shipped = devices()
    if name_or_path in shipped:
        return shipped[name_or_path]
    text, _, name = name_or_path.partition(":")
    path = Path(text)
    if path.suffix != ".toml" and not is_there(path):
        raise SpecError(
            f"no device {name_or_path!r} is shipped; {nearest(name_or_path, shipped)} "
            f"(or a path that ends in .toml)"
        )
    found = _devices_in(path)
    if not name and len(found) == 1:
        return next(iter(found.values()))
    if name not in found:
        raise SpecError(
            f"{path} has devices {', '.join(found) or 'none'}; name one of them as "
            f"{path}:NAME"
        )
    return found[name]


def _devices_in(path: Path) -> dict[str, DeviceSpec]:
    """Return the device specs of a file by the name of their tables."""
    tables = read_mapping(path)
    for name, numbers in tables.items():
        if not isinstance(numbers, dict):
            raise SpecError(
                f"{path}: {name} is no table; write the numbers of a device below its "
                f"name in brackets"
            )
    return {
        name: build(DeviceSpec, numbers, f"{path.name} [{name}]")
        for name, numbers in tables.items()
    }
