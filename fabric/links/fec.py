"""Forward error correction: probabilities of corrected and uncorrectable codewords.

A simulator needs no parity symbols, only the number of wrong symbols of a codeword.
With independent bit errors that number is binomial.
"""

import math
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from specs.fec import FecCode


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class CodewordOdds:
    """Outcome probabilities of one codeword.

    Parameters
    ----------
    corrected
        Probability that it has errors and all are corrected.
    uncorrectable
        Probability that it has more errors than the code corrects.
    """

    corrected: float
    uncorrectable: float


def codeword_odds(code: FecCode, ber: float) -> CodewordOdds:
    """Return the outcome probabilities of a codeword at a link's raw bit error rate.

    Parameters
    ----------
    code
        FEC code; the number of wrong symbols of its codeword is binomial.
    ber
        Probability that a bit is wrong, 0 to below 0.5.

    Examples
    --------
    RS(528,514) at a bit error rate of 1e-4:

    >>> from specs.fec import fec_codes
    >>> f"{codeword_odds(fec_codes()['rs528'], 1e-4).uncorrectable:.6e}"
    '8.926911e-08'
    """
    if ber == 0:
        return CodewordOdds(corrected=0.0, uncorrectable=0.0)
    # Loading it takes longer than most plans.
    from scipy.special import bdtrc  # noqa: PLC0415

    wrong_symbol = -math.expm1(code.symbol_bits * math.log1p(-ber))
    any_wrong = float(bdtrc(0, code.codeword_symbols, wrong_symbol))
    too_many = float(
        bdtrc(code.correctable_symbols, code.codeword_symbols, wrong_symbol)
    )
    return CodewordOdds(corrected=any_wrong - too_many, uncorrectable=too_many)


def codewords(
    code: FecCode, vectors: NDArray[np.integer], protected_bytes: int
) -> NDArray[np.int64]:
    """Return the number of whole FEC codewords that carry each train on a link.

    Parameters
    ----------
    code
        FEC code.
    vectors
        Vectors of each train.
    protected_bytes
        Bytes of a vector that codewords carry, `MachineSpec.protected_bytes`.
    """
    data_bits = code.symbol_bits * code.data_symbols
    bits = vectors.astype(np.int64) * protected_bytes * 8
    return np.maximum(1, -(-bits // data_bits))


def train_odds(per_codeword: float, count: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the probability that link errors affect any of `count` codewords."""
    if per_codeword >= 1:
        return np.ones(len(count))
    odds: NDArray[np.float64] = -np.expm1(count * math.log1p(-per_codeword))
    return odds
