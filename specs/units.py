"""Unit conversions of time and size."""

AS_PER_S = 10**18
AS_PER_PS = 10**6
PS_PER_S = 10**12
PS_PER_NS = 1_000
PS_PER_US = 1_000_000
NS_PER_US = 1_000
NS_PER_S = 10**9
US_PER_MS = 1_000
US_PER_S = 10**6
PPM = 1_000_000
BITS_PER_BYTE = 8
BYTES_PER_MB = 10**6
J_PER_PJ = 1e-12


def ceil_div(numerator: int, denominator: int) -> int:
    """Return the quotient of integers of specs, rounded up exactly.

    >>> ceil_div(7, 2), ceil_div(-7, 2)
    (4, -3)
    """
    return -(-numerator // denominator)
