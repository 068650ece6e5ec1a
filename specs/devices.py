"""Roofline of single devices: published peaks and the bounds that follow from them."""

import math
from functools import cache

from pydantic import Field

from specs.shipped_files import shipped_path
from specs.validation import Spec, build, read_mapping

_FLOPS_PER_TFLOPS = 1e12
_BYTES_PER_GB = 1e9
_BYTES_PER_TB = 1e12


class DeviceSpec(Spec):
    """Peaks of one accelerator; ``devices.toml`` gives the source of each number.

    Parameters
    ----------
    name
        Name in figures.
    compute_tflops
        Peak in 10^12 operations/s; a multiply-accumulate counts as two.
    memory_tb_per_s, memory_gb
        Bandwidth and size of the memory that holds the weights, in 10^12 B/s and
        10^9 B.
    tdp_w
        Thermal design power, in W; None if not published, or if a machine file states
        it.
    """

    name: str
    compute_tflops: float = Field(gt=0)
    memory_tb_per_s: float = Field(gt=0)
    memory_gb: float = Field(gt=0)
    tdp_w: float | None = Field(default=None, gt=0)

    @property
    def ridge_flop_per_byte(self) -> float:
        """Return the arithmetic intensity above which compute is the bound."""
        return self.compute_tflops / self.memory_tb_per_s

    def holding(self, payload_bytes: float) -> int:
        """Return the number of devices whose memory holds a payload alone."""
        return math.ceil(payload_bytes / (self.memory_gb * _BYTES_PER_GB))

    def bound_s(self, *, flop: float, read_bytes: float, devices: int = 1) -> float:
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
        """
        compute_s = flop / (self.compute_tflops * _FLOPS_PER_TFLOPS)
        memory_s = read_bytes / (self.memory_tb_per_s * _BYTES_PER_TB)
        return max(compute_s, memory_s) / devices


@cache
def devices() -> dict[str, DeviceSpec]:
    """Return the shipped device specs by name."""
    return {
        name: build(DeviceSpec, numbers, f"devices.toml [{name}]")
        for name, numbers in read_mapping(shipped_path("devices.toml")).items()
    }
