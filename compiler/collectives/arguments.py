"""Arguments of a collective: its members and the vectors of its tensor, checked."""

import numpy as np

from specs.arrays import Ints
from specs.errors import ScheduleError
from specs.machine import MachineSpec
from specs.units import ceil_div
from topologies.topology import Topology
from workloads.collective import Collective

_PAIR = 2


def checked_members(topology: Topology, kind: Collective, chips: Ints) -> Ints:
    """Return the members of a collective, after checking them.

    Raises
    ------
    ScheduleError
        If one is no chip of the machine or is named twice, or if there are too few.
    """
    members = np.asarray(chips, dtype=np.int64)
    outside = members[(members < 0) | (members >= topology.chips)]
    if len(outside):
        raise ScheduleError(
            f"chip {outside[0]} is not one of {topology.name}: chips are numbered 0 to "
            f"{topology.chips - 1}"
        )
    if len(np.unique(members)) < len(members):
        twice = int(np.flatnonzero(np.bincount(members) > 1)[0])
        raise ScheduleError(f"chip {twice} is a member twice; name each chip once")
    if kind is Collective.POINT_TO_POINT and len(members) != _PAIR:
        raise ScheduleError(
            f"a point-to-point message has a source and a target, got {len(members)} "
            f"chips; name two"
        )
    if len(members) < _PAIR:
        raise ScheduleError(
            f"{kind} takes at least 2 chips, got {len(members)}; name more"
        )
    return members


def tensor_vectors(
    machine: MachineSpec, kind: Collective, members: int, payload_bytes: int
) -> int:
    """Return the vectors of a collective's tensor; separate shares are whole vectors.

    Raises
    ------
    ScheduleError
        If the tensor holds nothing or exceeds a chip's SRAM.
    """
    if payload_bytes < 1:
        raise ScheduleError(
            f"a tensor of {payload_bytes} bytes holds nothing; use 1 byte or more"
        )
    room = machine.chip.sram_bytes - machine.chip.program_reserve_bytes
    if payload_bytes > room:
        raise ScheduleError(
            f"a tensor of {payload_bytes:,} bytes exceeds the {room:,} bytes of SRAM "
            f"that a chip has beside its program; use a tensor of {room:,} at most"
        )
    shared = (Collective.REDUCE_SCATTER, Collective.ALL_GATHER, Collective.ALL_TO_ALL)
    if kind in shared:
        return members * machine.link.vectors(ceil_div(payload_bytes, members))
    return machine.link.vectors(payload_bytes)
