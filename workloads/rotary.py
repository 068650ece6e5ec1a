"""Rotary position embedding: what turns queries and keys by their positions."""

from dataclasses import dataclass
from typing import final

from specs.numerical_settings import RopeScaling


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Rotary:
    """Rotary position embedding.

    Parameters
    ----------
    theta
        Base of the frequencies.
    dims
        Elements of a head that are rotated: the first, or in latent attention the last.
        None of them in a layer without positions, whose heads pass as they are.
    scaling
        Scaling of the frequencies, None without.
    interleaved
        Whether neighbours are a pair; otherwise i is paired with i + dims / 2.
    """

    theta: float
    dims: int
    scaling: RopeScaling | None = None
    interleaved: bool = False
