"""Drafts between a machine and devices: one side proposes tokens, the other verifies.

A hand-over is a step: the drafted tokens cross the link, and what was accepted, with
one token more, comes back.
"""

from serving.pairing.lanes import Leg, Side
from serving.service_times import TOKEN_BYTES
from specs.pairing import Drafter, PairingSpec


def draft_legs(
    pairing: PairingSpec, *, machine_leg: Leg, device_ps: int, users: int
) -> list[Leg]:
    """Return the legs of a step of a lane in which one side of the pairing drafts.

    The side that verifies comes last, so that a step ends with its tokens chosen, and
    they are on their way to the side that drafts.

    Parameters
    ----------
    pairing
        Who drafts how many tokens.
    machine_leg
        What the machine computes for the users of a lane: all drafts, or the pass that
        verifies them.
    device_ps
        The mean time of the other part on the devices.
    users
        Users of a lane.
    """
    drafted = TOKEN_BYTES * pairing.drafted_tokens * users
    chosen = TOKEN_BYTES * (pairing.drafted_tokens + 1) * users
    on_devices = Leg(Side.DEVICES, device_ps)
    if pairing.drafter is Drafter.MACHINE:
        there, back = Leg(Side.TO_DEVICES, drafted), Leg(Side.TO_MACHINE, chosen)
        return [machine_leg, there, on_devices, back]
    there, back = Leg(Side.TO_MACHINE, drafted), Leg(Side.TO_DEVICES, chosen)
    return [on_devices, there, machine_leg, back]
