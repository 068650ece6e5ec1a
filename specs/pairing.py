"""Pairing of a machine with other devices: who computes what, and the link between."""

from collections.abc import Mapping
from enum import StrEnum
from math import ceil
from pathlib import Path
from typing import Any, Self

from pydantic import Field, model_validator

from specs.devices import DeviceSpec, load_device
from specs.errors import SpecError, nearest
from specs.input_files import is_there
from specs.shipped_files import shipped_names, shipped_path
from specs.units import BITS_PER_BYTE, PS_PER_NS, PS_PER_US
from specs.validation import Spec, build, read_mapping


class PairingKind(StrEnum):
    """Which part of decoding is on the other devices; values are the keys of files."""

    NONE = "none"
    PREFILL = "prefill"
    ATTENTION = "attention"
    DRAFT = "draft"


class Drafter(StrEnum):
    """Which side of a pairing drafts tokens; the other one verifies them."""

    MACHINE = "machine"
    DEVICES = "devices"


class PairingLinkSpec(Spec):
    """Link of a pairing: what is between the chips and the devices.

    Its ports work side by side, and each direction has all of them.

    Parameters
    ----------
    ports
        Ports, at most one for each chip of an LPX rack.
    port_gbps
        Rate of a port, in 10^9 bit/s; None for a link that takes no time.
    latency_ns
        From the last byte that leaves a side to its arrival on the other, in ns.
    """

    ports: int = Field(gt=0)
    port_gbps: float | None = Field(gt=0)
    latency_ns: int = Field(ge=0)

    @property
    def gb_per_s(self) -> float | None:
        """Return the rate of the link's ports together, in 10^9 B/s."""
        if self.port_gbps is None:
            return None
        return self.ports * self.port_gbps / BITS_PER_BYTE

    @property
    def latency_ps(self) -> int:
        """Return the latency of the link, in ps."""
        return self.latency_ns * PS_PER_NS

    def occupied_ps(self, payload_bytes: int) -> int:
        """Return how long a payload occupies the link, in ps, rounded up."""
        rate = self.gb_per_s
        return 0 if rate is None else ceil(payload_bytes / rate * PS_PER_NS)


class PairingSpec(Spec):
    """Pairing of a machine with devices.

    Parameters
    ----------
    kind
        What the devices compute.
    device
        Name or file of the device, as `specs.devices.load_device` reads it.
    devices
        Number of devices. They share all work evenly.
    link
        The link.
    lanes
        Groups of users that take turns, so that both sides and both directions of the
        link are at work at a time.
    attained_compute, attained_memory
        Shares of a device's peaks that it attains.
    layer_us
        What a device takes for each layer beside them, as to launch kernels, in us.
    jitter
        Relative deviation of each of its times, lognormal.
    drafter, drafted_tokens
        For drafts: who proposes tokens, and how many for each verification.
    """

    kind: PairingKind = PairingKind.NONE
    device: str = "h100"
    devices: int = Field(default=8, gt=0)
    link: PairingLinkSpec
    lanes: int = Field(default=4, gt=0, le=64)
    attained_compute: float = Field(default=1.0, gt=0, le=1)
    attained_memory: float = Field(default=1.0, gt=0, le=1)
    layer_us: float = Field(default=0.0, ge=0)
    jitter: float = Field(default=0.0, ge=0, le=1)
    drafter: Drafter = Drafter.MACHINE
    drafted_tokens: int = Field(default=4, ge=0, le=64)

    @model_validator(mode="after")
    def _check_drafts(self) -> Self:
        if self.drafter is Drafter.MACHINE and not self.drafted_tokens:
            raise ValueError("drafted_tokens must be > 0 if the machine drafts")
        return self

    @property
    def peaks(self) -> DeviceSpec:
        """Return the device of the pairing.

        Raises
        ------
        SpecError
            If there is no such device.
        """
        return load_device(self.device)

    def device_ps(
        self, *, flop: float, read_bytes: float, layers: int = 1, fp8: bool = False
    ) -> int:
        """Return the mean time of work on the devices of the pairing, in ps.

        Parameters
        ----------
        flop, read_bytes
            Operations, and bytes that are read.
        layers
            Layers of it.
        fp8
            Whether operands have eight bits, and the device has a rate for them.
        """
        peaks = self.peaks
        compute_s = peaks.bound_s(flop=flop, read_bytes=0, fp8=fp8)
        memory_s = peaks.bound_s(flop=0, read_bytes=read_bytes)
        shared_s = max(
            compute_s / self.attained_compute, memory_s / self.attained_memory
        )
        work_us = shared_s / self.devices * 1e6
        return round((work_us + self.layer_us * layers) * PS_PER_US)


def pairing_names() -> tuple[str, ...]:
    """Return the names of the shipped pairing specs, sorted."""
    return shipped_names("pairings", ".toml")


def pairing_table(given: Any) -> Any:
    """Return the keys of a pairing that may begin as another one.

    Parameters
    ----------
    given
        Name or file of a pairing, or a table; ``like`` in it names a pairing whose
        values hold where the table, or its link, has none. What is neither is returned
        as it is.
    """
    if isinstance(given, str):
        given = {"like": given}
    if not isinstance(given, Mapping) or not isinstance(given.get("like"), str):
        return given
    base = load_pairing(given["like"]).model_dump()
    rest = {name: value for name, value in given.items() if name != "like"}
    link = rest.get("link", {})
    if isinstance(link, Mapping):
        rest["link"] = {**base["link"], **link}
    return {**base, **rest}


def load_pairing(name_or_path: str) -> PairingSpec:
    """Return a shipped pairing spec by name, or the one of a TOML file.

    Raises
    ------
    SpecError
        If there is no such pairing or device, or a value is out of range.
    """
    if name_or_path in pairing_names():
        path = shipped_path("pairings", f"{name_or_path}.toml")
    else:
        path = Path(name_or_path)
        if path.suffix != ".toml" and not is_there(path):
            raise SpecError(
                f"no pairing {name_or_path!r} is shipped; "
                f"{nearest(name_or_path, pairing_names())} (or a path that ends in "
                f".toml)"
            )
    pairing = build(PairingSpec, read_mapping(path), path.name)
    load_device(pairing.device)
    return pairing
