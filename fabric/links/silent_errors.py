"""Silent errors: codewords that a decoder delivers wrong without noticing.

A single-bit code with a parity bit over all (SECDED, an extended Hamming code) notices
two wrong bits. Three or more, an odd number, look like one: the decoder flips the bit
that the syndrome names, if there is such a bit. An even number passes if its syndrome
is zero. Bursts have many wrong bits side by side, so for them this is no rare case.

References
----------
R. W. Hamming, "Error Detecting and Error Correcting Codes", Bell System Technical
Journal 29(2), 1950; R. J. McEliece and L. Swanson, "On the Decoder Error Probability
for Reed-Solomon Codes", IEEE Transactions on Information Theory 32(5), 1986.
"""

import math
from functools import cache
from typing import TypeVar

import numpy as np

from fabric.links.burst_channel import BurstChannel
from fabric.links.error_model import codeword_outcome
from specs.arrays import Floats
from specs.fec import FecCode
from specs.machine import MachineSpec


def silent_odds(machine: MachineSpec) -> float:
    """Return the probability that a codeword of the machine's links is silently wrong.

    Without a code nothing notices an error. Codes of more than one symbol deliver a
    codeword they cannot correct as wrong if it falls within reach of another one; the
    share is that of random words, which is close for any errors beyond repair.

    Parameters
    ----------
    machine
        FEC code, and error model of the links.
    """
    code, link = machine.fec.parameters, machine.link
    uncorrectable = codeword_outcome(machine).uncorrectable
    if code.correctable_symbols == 0:
        return uncorrectable
    if code.symbol_bits > 1 or code.correctable_symbols > 1:
        return uncorrectable * reach_share(code)
    if link.errors == "bursts":
        return single_bit_silent_odds(BurstChannel.of(link), code.codeword_symbols)
    return single_bit_silent_odds(_independent(link.ber), code.codeword_symbols)


def reach_share(code: FecCode) -> float:
    """Return the share of words on a link that lie within reach of a codeword.

    A decoder turns each of them into that codeword. It is below ``1 / t!`` for a
    Reed-Solomon code that corrects t symbols.
    """
    checks = code.codeword_symbols - code.data_symbols
    others = 2**code.symbol_bits - 1
    reach = sum(
        math.comb(code.codeword_symbols, wrong) * others**wrong
        for wrong in range(code.correctable_symbols + 1)
    )
    return float(reach / 2 ** (code.symbol_bits * checks))


@cache
def single_bit_silent_odds(channel: BurstChannel, bits: int) -> float:
    """Return the probability that a single-bit code is silently wrong on a link.

    An exact sum over syndromes, parity, and states of the channel, bit by bit; no term
    is negative, so it is accurate at any magnitude. Bit p of the codeword, from 0 on,
    has syndrome p: checks are at the powers of two, parity over all at 0.

    Parameters
    ----------
    channel
        Error model of the link.
    bits
        Bits of a codeword.

    Returns
    -------
    Probability that a codeword with at least two wrong bits is delivered.
    """
    # Probabilities in the good state and in a burst: of no wrong bit so far; of one, by
    # its syndrome; of more, by parity and syndrome.
    none = 1 - channel.burst_fraction, channel.burst_fraction
    one: list[Floats] = [np.zeros(1), np.zeros(1)]
    more: list[Floats] = [np.zeros((2, 1)), np.zeros((2, 1))]
    every = np.arange(1)
    rates = channel.good_ber, channel.burst_ber
    for place in range(bits):
        if place == len(every):
            # From here on syndromes have one more binary digit.
            every = np.arange(2 * place)
            one = [np.pad(state, (0, place)) for state in one]
            more = [np.pad(state, ((0, 0), (0, place))) for state in more]
        flipped = every ^ place
        for state, ber in enumerate(rates):
            # The flipped bit changes parity, and one wrong bit becomes an even number.
            wrong = more[state].take(flipped, axis=1)[::-1] * ber
            wrong[0] += one[state].take(flipped) * ber
            more[state] = more[state] * (1 - ber) + wrong
            one[state] = one[state] * (1 - ber)
            one[state][place] += none[state] * ber
        right = none[0] * (1 - rates[0]), none[1] * (1 - rates[1])
        none = _moved(channel, *right)
        one[:] = _moved(channel, *one)
        more[:] = _moved(channel, *more)
    even, odd = more[0] + more[1]
    return float(even[0]) + float(odd[:bits].sum())


_Odds = TypeVar("_Odds", float, Floats)


def _moved(channel: BurstChannel, good: _Odds, burst: _Odds) -> tuple[_Odds, _Odds]:
    """Return the odds of a link's states after the channel has moved by a bit."""
    return (
        good * (1 - channel.begin) + burst * channel.end,
        good * channel.begin + burst * (1 - channel.end),
    )


def _independent(ber: float) -> BurstChannel:
    """Return the channel of a link whose bit errors are independent."""
    return BurstChannel(
        good_ber=ber, burst_ber=ber, begin=0.0, end=1.0, burst_fraction=0.0
    )
