"""Limit of RUNTIME_DESKEW, the instruction by which a chip removes its drift."""

from specs.units import PPM


def half_epoch_cycles(
    epoch_cycles: int, counter_error: int, relative_ppm: float
) -> int:
    """Return a chip's longest deskew interval in cycles whose drift is unambiguous.

    A drift of more than half an epoch reads as a drift of the other sign.

    Parameters
    ----------
    epoch_cycles
        Modulus of the counter.
    counter_error
        Largest error of the counter itself, in counts.
    relative_ppm
        Largest difference between this crystal and the root's, in ppm.
    """
    room = epoch_cycles // 2 - counter_error - 2
    if room <= 0:
        return 0
    if relative_ppm <= 0:
        return 2**62
    return int(room * PPM / relative_ppm)
