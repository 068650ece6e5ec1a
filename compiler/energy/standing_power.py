"""Standing power of a machine: what its chips and optics draw with nothing to do."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from compiler.energy.full_load import idle_chip_w
from specs.machine import MachineSpec
from topologies.topology import Level, Topology

_W_PER_GBPS_AT_PJ_PER_BIT = 1e-3


class StandingPower(NamedTuple):
    """Standing power of a machine's parts, in W; None where the chip's is unpublished.

    Attributes
    ----------
    powered_chips
        Chips that are on.
    chips, chips_tdp
        Of all these chips, when idle and at the most that cooling is designed for.
    ports
        Of the links between them when idle, which is within the power of the chips.
    optics
        Of the ends of optical cables, beside the chips.
    """

    powered_chips: int
    chips: float | None
    chips_tdp: float | None
    ports: float
    optics: float

    @property
    def idle(self) -> float | None:
        """Return the power of all when idle."""
        return None if self.chips is None else self.chips + self.optics

    @property
    def tdp(self) -> float | None:
        """Return the power of all, with chips at their most."""
        return None if self.chips_tdp is None else self.chips_tdp + self.optics


def standing_power(
    machine: MachineSpec, topology: Topology, used: NDArray[np.bool_]
) -> StandingPower:
    """Return the power of a machine when idle: chips and links.

    Parameters
    ----------
    machine, topology
        The machine. Cables between racks are optical.
    used
        Whether a chip has work, shape ``(chips,)``. The others are off, unless the
        machine keeps spares, which are ready to take over.
    """
    on = used | (machine.spares > 0)
    chips, power = int(on.sum()), machine.power
    linked = on[topology.source] & on[topology.target]
    optical_ends = int((linked & (topology.level == Level.GLOBAL)).sum())
    link_w = machine.link.rate_gbps * power.port_pj_per_bit * _W_PER_GBPS_AT_PJ_PER_BIT
    return StandingPower(
        powered_chips=chips,
        chips=_times(idle_chip_w(machine), chips),
        chips_tdp=_times(power.chip_tdp_w, chips),
        ports=int(linked.sum()) * link_w * power.port_idle_share,
        optics=optical_ends * power.optical_end_w,
    )


def _times(watts: float | None, count: int) -> float | None:
    """Return the power of several chips of a machine, None if unknown."""
    return None if watts is None else watts * count
