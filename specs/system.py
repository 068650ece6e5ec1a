"""System of a machine: its default size and topology, and the power that it draws."""

from pydantic import Field

from specs.validation import Spec


class SystemSpec(Spec):
    """What a machine is unless a scenario says otherwise.

    Parameters
    ----------
    topology
        Its wiring, a name of :mod:`topologies.selection`.
    chips
        How many chips are used.
    chips_per_rack
        Chips that stand in one rack.
    tensor
        Chips that share a layer: as many as are linked all to all.
    """

    topology: str
    chips: int = Field(ge=1)
    chips_per_rack: int = Field(ge=1)
    tensor: int = Field(ge=1)


class PowerSpec(Spec):
    """What the machine draws; what nobody publishes is None and not computed with.

    Parameters
    ----------
    chip_average_w, chip_tdp_w
        A chip in use, and the most that its cooling is designed for.
    port_pj_per_bit
        What both ends of a link spend on a bit; ports send without pause, and their
        power is within the chip's.
    optical_end_w
        One end of an active optical cable, beside the chip's power.
    """

    chip_average_w: float | None = Field(default=None, gt=0)
    chip_tdp_w: float | None = Field(default=None, gt=0)
    port_pj_per_bit: float = Field(ge=0)
    optical_end_w: float = Field(ge=0)
