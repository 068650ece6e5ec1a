"""Gilbert-Elliott channel: exact error probabilities of codewords under bursts.

For each bit the channel is good or in a burst, and has the bit error rate of that
state. Error counts then depend on the state before and after a codeword. So a
probability becomes a 2x2 matrix, and a codeword a power of matrices.

References
----------
E. N. Gilbert, "Capacity of a Burst-Noise Channel", Bell System Technical Journal 39(5),
1960; E. O. Elliott, "Estimates of Error Rates for Codes on Burst-Noise Channels", ibid.
42(5), 1963.
"""

from dataclasses import dataclass
from typing import Self, final

import numpy as np
from numpy.typing import NDArray

from fabric.links.fec import CodewordOdds
from specs.arrays import Floats
from specs.fec import FecCode
from specs.link import LinkSpec


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class BurstChannel:
    """Gilbert-Elliott channel; bits follow each other in the order of the codeword.

    Parameters
    ----------
    good_ber, burst_ber
        Bit error rate outside and inside bursts.
    begin, end
        Probability that a burst begins before the next bit, and that it ends.
    burst_fraction
        Fraction of all bits that lie in bursts, ``begin / (begin + end)``.
    """

    good_ber: float
    burst_ber: float
    begin: float
    end: float
    burst_fraction: float

    @classmethod
    def of(cls, link: LinkSpec) -> Self:
        """Return the channel of a link, its mean bit error rate ``link.ber``."""
        burst = link.burst_fraction
        return cls(
            good_ber=(1 - link.burst_share) * link.ber / (1 - burst),
            burst_ber=link.burst_ber,
            begin=burst / (1 - burst) / link.burst_bits,
            end=1 / link.burst_bits,
            burst_fraction=burst,
        )

    def codeword(self, code: FecCode) -> Floats:
        """Return the probability of 0, 1, ... t and of more than t wrong symbols.

        Parameters
        ----------
        code
            FEC code, which corrects t symbols.

        Returns
        -------
        Shape ``(t + 2, 2, 2)``: joint with the state after the codeword (last axis),
        given the state before it; state 1 is a burst.
        """
        ber = np.array([self.good_ber, self.burst_ber])
        transition = np.array([[1 - self.begin, self.begin], [self.end, 1 - self.end]])
        bit = np.stack([(1 - ber)[:, None] * transition, ber[:, None] * transition])
        symbol = _power(bit, code.symbol_bits)
        classes = np.zeros((code.correctable_symbols + 2, 2, 2))
        classes[:2] = symbol
        return _power(classes, code.codeword_symbols)

    def codeword_odds(self, code: FecCode) -> CodewordOdds:
        """Return the outcome probabilities of one codeword in a stream of codewords.

        Each is a sum of products of probabilities without subtraction, so it is
        accurate at any magnitude.
        """
        odds = self._marginal(self.codeword(code))
        return CodewordOdds(
            corrected=float(odds[1:-1].sum()), uncorrectable=float(odds[-1])
        )

    def train_odds(self, code: FecCode, count: NDArray[np.int64]) -> Floats:
        """Return the probability that a train has an uncorrectable codeword.

        A train starts in the stationary state of the channel; the state carries over
        from codeword to codeword.

        Parameters
        ----------
        code
            FEC code.
        count
            Codewords of each train, shape ``(trains,)`` as the result.
        """
        classes = self.codeword(code)
        step = np.stack([classes[:-1].sum(axis=0), classes[-1]])
        sizes, kind = np.unique(count, return_inverse=True)
        odds = [self._marginal(_power(step, int(size)))[-1] for size in sizes]
        # Rounding may exceed 1 slightly.
        return np.minimum(np.array(odds, dtype=np.float64), 1.0)[kind]

    def _marginal(self, classes: Floats) -> Floats:
        """Return the probability of each class, starting in the stationary state."""
        stationary = np.array([1 - self.burst_fraction, self.burst_fraction])
        odds: Floats = np.einsum("a,cab->c", stationary, classes)
        return odds


def _power(classes: Floats, exponent: int) -> Floats:
    """Return a link's burst classes of `exponent` consecutive parts, by squaring.

    Parameters
    ----------
    classes
        Classes of one part: matrix c is for c events, the last for that many or more,
        shape ``(classes, 2, 2)`` as the result.
    exponent
        Number of parts, from 0.
    """
    result = np.zeros_like(classes)
    result[0] = np.eye(2)
    while exponent:
        if exponent % 2:
            result = _joined(result, classes)
        exponent //= 2
        if exponent:
            classes = _joined(classes, classes)
    return result


def _joined(first: Floats, second: Floats) -> Floats:
    """Return a link's burst classes of two parts; sums beyond the last class join it.

    The class of a pair is the sum of its events.
    """
    many = np.arange(len(first))
    events = np.minimum(np.add.outer(many, many), len(first) - 1)
    result = np.zeros_like(first)
    np.add.at(result, events, np.einsum("iab,jbc->ijac", first, second))
    return result
