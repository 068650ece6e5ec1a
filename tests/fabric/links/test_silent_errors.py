"""Silent errors in closed form, against real decoders and sums over all errors."""

import math
from itertools import combinations

import numpy as np
import pytest
import reedsolo

from fabric.links.burst_channel import BurstChannel
from fabric.links.error_model import codeword_outcome
from fabric.links.silent_errors import (
    reach_share,
    silent_odds,
    single_bit_silent_odds,
)
from specs.fec import FecCode, fec_codes
from specs.machine import MachineSpec, load_machine

# x^4 + x + 1.
NIBBLE_FIELD = 0x13
SHORT_CODE = FecCode(
    symbol_bits=4,
    codeword_symbols=15,
    data_symbols=11,
    correctable_symbols=2,
    in_frame=False,
    decode_cycles=0,
)


def machine_of(**settings: object) -> MachineSpec:
    return load_machine().with_settings(
        {key.replace("__", "."): value for key, value in settings.items()}
    )


def delivered_wrong(word: np.ndarray, sent: np.ndarray) -> bool:
    """Decode an extended Hamming codeword; return whether the result is silently wrong.

    Checks are at the powers of two and parity over all is at place 0.
    """
    syndrome = int(np.bitwise_xor.reduce(np.flatnonzero(word), initial=0))
    word = word.copy()
    if word.sum() % 2:
        if syndrome >= len(word):
            return False
        word[syndrome] ^= 1
    elif syndrome:
        return False
    return bool((word != sent).any())


def encoded(data: np.ndarray, bits: int) -> np.ndarray:
    """Return a codeword of an extended Hamming code that holds random data bits."""
    word = np.zeros(bits, dtype=np.int64)
    places = np.arange(bits)
    holds = (places & (places - 1)) != 0
    word[holds] = data[: holds.sum()]
    syndrome = int(np.bitwise_xor.reduce(np.flatnonzero(word), initial=0))
    for check in range(bits.bit_length()):
        if 1 << check < bits:
            word[1 << check] = syndrome >> check & 1
    word[0] = word.sum() % 2
    return word


def test_the_sum_is_that_over_every_error_of_a_short_code() -> None:
    bits, ber = 12, 0.07
    sent, odds = np.zeros(bits, dtype=np.int64), 0.0
    for wrong in range(bits + 1):
        for places in combinations(range(bits), wrong):
            word = sent.copy()
            word[list(places)] = 1
            if delivered_wrong(word, sent):
                odds += ber**wrong * (1 - ber) ** (bits - wrong)
    channel = BurstChannel(
        good_ber=ber, burst_ber=ber, begin=0.0, end=1.0, burst_fraction=0.0
    )
    assert single_bit_silent_odds(channel, bits) == pytest.approx(odds, rel=1e-12)
    # The same bits, in bursts that differ in nothing from what is between them.
    alike = BurstChannel(
        good_ber=ber, burst_ber=ber, begin=0.1, end=0.3, burst_fraction=0.25
    )
    assert single_bit_silent_odds(alike, bits) == pytest.approx(odds, rel=1e-12)


@pytest.mark.parametrize(("bits", "ber"), [(72, 0.004), (300, 0.002)])
@pytest.mark.parametrize("burst_bits", [2, 10, 40])
def test_bursts_pass_a_real_decoder_as_often_as_the_sum_says(
    bits: int, ber: float, burst_bits: int
) -> None:
    link = machine_of(
        link__errors="bursts", link__ber=ber, link__burst_bits=burst_bits
    ).link
    channel = BurstChannel.of(link)
    rng = np.random.default_rng(burst_bits)
    trials = 6_000
    # Channel of all codewords at once, bit by bit.
    state = rng.random(trials) < channel.burst_fraction
    flips = np.zeros((trials, bits), dtype=np.int64)
    for place in range(bits):
        rate = np.where(state, channel.burst_ber, channel.good_ber)
        flips[:, place] = rng.random(trials) < rate
        leaves = np.where(state, channel.end, channel.begin)
        state ^= rng.random(trials) < leaves
    silent = 0
    for word in flips[flips.sum(axis=1) > 1]:
        sent = encoded(rng.integers(0, 2, bits), bits)
        assert not delivered_wrong(sent, sent)
        silent += delivered_wrong(sent ^ word, sent)
    odds = single_bit_silent_odds(channel, bits)
    assert silent >= 20
    assert abs(silent - trials * odds) < 4 * (trials * odds) ** 0.5


def triples_that_look_like_a_bit(bits: int) -> int:
    """Return how many sets of three places have a syndrome below `bits`."""
    counts = np.zeros(1 << (bits - 1).bit_length(), dtype=object)
    counts[:bits] = 1
    for sign in (1, 3):
        counts = counts**sign
        step = 1
        while step < len(counts):
            pairs = counts.reshape(-1, 2, step)
            counts = np.stack(
                [pairs[:, 0] + pairs[:, 1], pairs[:, 0] - pairs[:, 1]], axis=1
            ).ravel()
            step *= 2
    # Ordered triples by syndrome, those with a place twice or three times included.
    return int(sum(counts[:bits] // len(counts) - (3 * bits - 2))) // 6


def test_at_low_rates_three_wrong_bits_pass_where_their_syndrome_is_a_bit() -> None:
    named = sum(a ^ b ^ c < 12 for a, b, c in combinations(range(12), 3))
    assert triples_that_look_like_a_bit(12) == named
    ber = 1e-12
    expected = triples_that_look_like_a_bit(2_624) * ber**3
    assert silent_odds(machine_of(link__ber=ber)) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("name", sorted(fec_codes()))
@pytest.mark.parametrize("errors", ["independent", "bursts"])
def test_no_more_is_silent_than_is_beyond_repair(name: str, errors: str) -> None:
    for ber in (1e-12, 1e-7):
        machine = machine_of(fec__code=name, link__errors=errors, link__ber=ber)
        beyond = codeword_outcome(machine).uncorrectable
        assert 0 <= silent_odds(machine) <= beyond * (1 + 1e-9)
    if name == "none":
        assert silent_odds(machine) == beyond


def test_of_bursts_beyond_repair_a_good_part_passes_a_single_bit_code() -> None:
    machine = machine_of(link__errors="bursts")
    share = silent_odds(machine) / codeword_outcome(machine).uncorrectable
    # An odd number of wrong bits in half of all bursts of two or more.
    assert 0.3 < share < 0.6
    # One at a time, that many bits are all but never wrong.
    steady = machine_of()
    assert silent_odds(steady) < 1e-9 * codeword_outcome(steady).uncorrectable


def test_random_words_pass_a_real_decoder_as_often_as_the_share_says() -> None:
    codec = reedsolo.RSCodec(4, nsize=15, fcr=0, prim=NIBBLE_FIELD, c_exp=4)
    rng = np.random.default_rng(1)
    trials, passed = 4_000, 0
    for _ in range(trials):
        try:
            codec.decode(rng.integers(0, 16, 15).tolist())
        except reedsolo.ReedSolomonError:
            continue
        passed += 1
    share = reach_share(SHORT_CODE)
    assert share == (1 + 15 * 15 + math.comb(15, 2) * 225) / 16**4
    assert abs(passed - trials * share) < 4 * (trials * share * (1 - share)) ** 0.5


@pytest.mark.parametrize("name", ["rs528", "rs544"])
def test_the_share_of_a_strong_code_is_below_the_published_bound(name: str) -> None:
    code = fec_codes()[name]
    assert 0 < reach_share(code) < 1 / math.factorial(code.correctable_symbols)
