"""System of a machine: its default size and topology, and the power that it draws."""

from pydantic import Field

from specs.validation import Spec


class SystemSpec(Spec):
    """Default size and topology of a machine, which a scenario may override.

    Parameters
    ----------
    topology
        Topology, a name of :mod:`topologies.selection`.
    chips
        Number of chips in use.
    chips_per_rack
        Chips per rack.
    tensor
        Chips that share a layer: the size of a fully connected group.
    """

    topology: str
    chips: int = Field(ge=1)
    chips_per_rack: int = Field(ge=1)
    tensor: int = Field(ge=1)


class PowerSpec(Spec):
    """Power of a machine; an unpublished value is None and stays out of the results.

    Parameters
    ----------
    chip_average_w, chip_tdp_w
        Average power of a chip in use, and its thermal design power, in W.
    port_pj_per_bit
        Energy of both ends of a link per bit, in pJ. Ports send without pause, and the
        power of a chip includes theirs.
    optical_end_w
        Power of one end of an active optical cable, in W, in addition to the chip's.
    """

    chip_average_w: float | None = Field(default=None, gt=0)
    chip_tdp_w: float | None = Field(default=None, gt=0)
    port_pj_per_bit: float = Field(ge=0)
    optical_end_w: float = Field(ge=0)
