"""Energy: the power of the machine of a run, and the energy of a token.

All chips draw their published power all the time, at work or not, and so do links: they
send without pause. Hosts, fans and power supplies are not counted.
"""

from dataclasses import dataclass
from typing import NamedTuple, final

import numpy as np

from specs.machine import MachineSpec
from topologies.topology import Level, Topology

_W_PER_GBPS_AT_PJ_PER_BIT = 1e-3


class Power(NamedTuple):
    """Power of a machine's parts, in W; None where the chip's is not published.

    Attributes
    ----------
    chips, chips_tdp
        Of all chips, on average and at the most that cooling is designed for.
    ports
        Of all links between them, which is within the power of the chips.
    optics
        Of the ends of optical cables, beside the chips.
    """

    chips: float | None
    chips_tdp: float | None
    ports: float
    optics: float

    @property
    def average(self) -> float | None:
        """Return the power of all, on average."""
        return None if self.chips is None else self.chips + self.optics

    @property
    def tdp(self) -> float | None:
        """Return the power of all, with chips at their most."""
        return None if self.chips_tdp is None else self.chips_tdp + self.optics


def powered(machine: MachineSpec, topology: Topology) -> Power:
    """Return a run with the power of its machine: chips at work and spare, links.

    Cables between racks are optical.
    """
    on = np.zeros(topology.chips, dtype=bool)
    on[topology.active] = True
    if machine.spares:
        on[:] = True
    chips, power = int(on.sum()), machine.power
    linked = on[topology.source] & on[topology.target]
    optical_ends = int((linked & (topology.level == Level.GLOBAL)).sum())
    link_w = machine.link.rate_gbps * power.port_pj_per_bit * _W_PER_GBPS_AT_PJ_PER_BIT
    return Power(
        chips=_times(power.chip_average_w, chips),
        chips_tdp=_times(power.chip_tdp_w, chips),
        ports=int(linked.sum()) * link_w,
        optics=optical_ends * power.optical_end_w,
    )


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Energy:
    """Power of a machine in W, and energy of a token in J; None where unpublished.

    Attributes
    ----------
    average_power_w, tdp_power_w
        Chips and optics: on average, and with chips at their most.
    energy_per_token_j, tdp_energy_per_token_j
        The same for each token of all users.
    chip_energy_per_token_j, optical_energy_per_token_j
        Parts of `energy_per_token_j`.
    port_energy_per_token_j
        What links take, within that of the chips.
    """

    average_power_w: float | None
    tdp_power_w: float | None
    energy_per_token_j: float | None
    tdp_energy_per_token_j: float | None
    chip_energy_per_token_j: float | None
    port_energy_per_token_j: float | None
    optical_energy_per_token_j: float | None


def energy_of(
    machine: MachineSpec, topology: Topology, tokens_per_s: float | None
) -> Energy:
    """Return the power of the machine of a run and the energy of each token.

    Parameters
    ----------
    machine, topology
        What draws power.
    tokens_per_s
        Tokens of all users together; None where none is made.
    """
    power = powered(machine, topology)
    return Energy(
        average_power_w=power.average,
        tdp_power_w=power.tdp,
        energy_per_token_j=_share(power.average, tokens_per_s),
        tdp_energy_per_token_j=_share(power.tdp, tokens_per_s),
        chip_energy_per_token_j=_share(power.chips, tokens_per_s),
        port_energy_per_token_j=_share(power.ports, tokens_per_s),
        optical_energy_per_token_j=_share(power.optics, tokens_per_s),
    )


def _times(watts: float | None, count: int) -> float | None:
    """Return the power of several parts of a run's machine, None if unknown."""
    return None if watts is None else watts * count


def _share(watts: float | None, tokens_per_s: float | None) -> float | None:
    """Return the energy of a token of a run in J, None if power or rate is unknown."""
    if watts is None or tokens_per_s is None:
        return None
    return watts / tokens_per_s
