"""Jitter law: the distribution of a link's jitter, as fractions of its span.

A beta law is that of a number within bounds of which mean and deviation are known. A
normal law has no bounds.
"""

from dataclasses import dataclass
from typing import Self, final

import numpy as np
from numpy.typing import NDArray

from specs.arrays import Floats, Ints

# A beta law whose deviation is this small a part of its bounds is normal: they are a
# thousand deviations apart.
_NARROW = 1e-3


@final
@dataclass(frozen=True, slots=True, eq=False)
class JitterLaw:
    """Law of the jitter of each measured link, in fractions of the span.

    Parameters
    ----------
    mean, deviation
        Of each row of the measured links, shape ``(rows,)``.
    end
        Where the beta law ends.
    is_beta
        Whether a row follows the beta law and not the normal one, shape ``(rows,)``.
    """

    mean: Floats
    deviation: Floats
    end: float
    is_beta: NDArray[np.bool_]

    @classmethod
    def of(cls, law: str, rows: tuple[tuple[float, float], ...], end: float) -> Self:
        """Return the law of links of which mean and deviation are known."""
        mean, deviation = np.array(rows).T
        return cls(mean, deviation, end, (law == "beta") & (deviation > _NARROW * end))

    def quantiles(self, levels: int) -> Floats:
        """Return quantiles of each row in the middle of equally likely levels.

        Those of a beta law are read off its distribution at as many points, which lie
        close together at its ends, where it may be steep. The farthest are 1.6 levels
        apart.

        Parameters
        ----------
        levels
            Number of levels.

        Returns
        -------
        Shape ``(rows, levels)``; those of a normal law may lie outside the span.
        """
        # Loading it takes longer than most plans.
        from scipy.special import betainc, ndtri  # noqa: PLC0415

        below = (np.arange(levels) + 0.5) / levels
        found: Floats = np.multiply.outer(self.deviation, ndtri(below))
        found += self.mean[:, np.newaxis]
        points = np.sin(np.linspace(0.0, np.pi / 2, levels + 1)) ** 2
        for row in np.flatnonzero(self.is_beta):
            reached = betainc(*self._shape(np.array([row])), points)
            found[row] = self.end * np.interp(below, reached, points)
        return found

    def exceeded(self, row: Ints, odds: Floats) -> Floats:
        """Return the fraction of the span that a row's jitter exceeds with given odds.

        Parameters
        ----------
        row, odds
            Row of each, and the odds; both of one shape, which is that of the result.
        """
        from scipy.special import betainccinv, ndtri  # noqa: PLC0415

        found: Floats = self.mean[row] - self.deviation[row] * ndtri(odds)
        beta = self.is_beta[row]
        inverse = betainccinv(*self._shape(row[beta]), odds[beta])
        found[beta] = self.end * inverse
        return found

    def odds_beyond(self, row: Ints, fraction: Floats) -> Floats:
        """Return the odds that a row's jitter exceeds a fraction of the span.

        Parameters
        ----------
        row, fraction
            Row of each, and the fraction; both of one shape, which is that of the
            result.
        """
        from scipy.special import betaincc, ndtr  # noqa: PLC0415

        # A law without deviation is a step.
        deviation = np.maximum(self.deviation[row], np.finfo(np.float64).tiny)
        with np.errstate(over="ignore"):
            odds: Floats = ndtr((self.mean[row] - fraction) / deviation)
        beta = self.is_beta[row]
        part = np.clip(fraction[beta] / self.end, 0.0, 1.0)
        odds[beta] = betaincc(*self._shape(row[beta]), part)
        return odds

    def _shape(self, row: Ints) -> tuple[Floats, Floats]:
        """Return both exponents of the beta law of some rows, each plus one."""
        mean, deviation = self.mean[row] / self.end, self.deviation[row] / self.end
        weight = mean * (1 - mean) / deviation**2 - 1
        return mean * weight, (1 - mean) * weight
