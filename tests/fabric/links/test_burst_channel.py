"""Bursts in closed form, against a sum over bits in 50 digits and their limits."""

from collections import defaultdict
from decimal import Decimal, localcontext

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fabric.links.burst_channel import BurstChannel
from fabric.links.fec import CodewordOdds, codeword_odds, train_odds
from specs.fec import FecCode, fec_codes
from specs.machine import load_machine

CODES = fec_codes()
NAMES = pytest.mark.parametrize("name", sorted(CODES))
DIGITS = 50


def channel(**settings: float) -> BurstChannel:
    dotted = {f"link.{key}": value for key, value in settings.items()}
    machine = load_machine().with_settings({"link.errors": "bursts", **dotted})
    return BurstChannel.of(machine.link)


def code_of(symbol_bits: int, symbols: int, correctable: int) -> FecCode:
    return FecCode(
        symbol_bits=symbol_bits,
        codeword_symbols=symbols,
        data_symbols=1,
        correctable_symbols=correctable,
        in_frame=True,
        decode_cycles=0,
    )


def bit_by_bit(bursts: BurstChannel, code: FecCode, codewords: int) -> list[Decimal]:
    """Return the odds that 0, 1, ... of the codewords cannot be repaired, and then one.

    Every bit is a step, and every number of wrong symbols is told apart. The last value
    is the probability that the last codeword is corrected.
    """
    begin, end = Decimal(bursts.begin), Decimal(bursts.end)
    moves = [[1 - begin, begin], [end, 1 - end]]
    bers = [Decimal(bursts.good_ber), Decimal(bursts.burst_ber)]
    in_burst = begin / (begin + end)
    # State of the channel, lost codewords, wrong symbols so far, this symbol wrong.
    odds = {(0, 0, 0, 0): 1 - in_burst, (1, 0, 0, 0): in_burst}
    corrected = Decimal(0)
    for _ in range(codewords):
        for _ in range(code.codeword_symbols):
            for _ in range(code.symbol_bits):
                after: dict[tuple[int, int, int, int], Decimal] = defaultdict(Decimal)
                for (state, lost, wrong, hit), p in odds.items():
                    for then, move in enumerate(moves[state]):
                        after[then, lost, wrong, hit] += p * (1 - bers[state]) * move
                        after[then, lost, wrong, 1] += p * bers[state] * move
                odds = after
            closed: dict[tuple[int, int, int, int], Decimal] = defaultdict(Decimal)
            for (state, lost, wrong, hit), p in odds.items():
                closed[state, lost, wrong + hit, 0] += p
            odds = closed
        most = code.correctable_symbols
        corrected = sum((p for k, p in odds.items() if 0 < k[2] <= most), Decimal(0))
        ended: dict[tuple[int, int, int, int], Decimal] = defaultdict(Decimal)
        for (state, lost, wrong, _), p in odds.items():
            ended[state, lost + (wrong > most), 0, 0] += p
        odds = ended
    lost_odds = [Decimal(0)] * (codewords + 1)
    for (_, lost, _, _), p in odds.items():
        lost_odds[lost] += p
    return [*lost_odds, corrected]


channels = st.builds(
    channel,
    ber=st.floats(-12, -1).map(lambda power: 10**power),
    burst_ber=st.floats(0.3, 1),
    burst_bits=st.floats(1, 60),
    burst_share=st.floats(0, 1),
)
small_codes = st.builds(
    code_of, st.integers(1, 3), st.integers(1, 5), st.integers(0, 3)
)


@given(bursts=channels, code=small_codes, count=st.integers(1, 3))
def test_codewords_and_trains_are_what_a_sum_over_all_bits_gives(
    bursts: BurstChannel, code: FecCode, count: int
) -> None:
    with localcontext(prec=DIGITS):
        *lost, corrected = map(float, bit_by_bit(bursts, code, count))
    odds = bursts.codeword_odds(code)
    assert odds.corrected == pytest.approx(corrected, rel=1e-12)
    (damaged,) = bursts.train_odds(code, np.array([count]))
    assert damaged == pytest.approx(sum(lost[1:]), rel=1e-12)


@pytest.mark.parametrize(("ber", "share"), [(1e-5, 1.0), (1e-9, 0.5), (1e-12, 0.0)])
def test_the_tail_is_accurate_however_small(ber: float, share: float) -> None:
    bursts = channel(ber=ber, burst_share=share, burst_bits=2)
    code = code_of(10, 20, 7)
    with localcontext(prec=DIGITS):
        _, tail, corrected = map(float, bit_by_bit(bursts, code, 1))
    odds = bursts.codeword_odds(code)
    assert odds.uncorrectable == pytest.approx(tail, rel=1e-12, abs=0)
    assert odds.corrected == pytest.approx(corrected, rel=1e-12, abs=0)
    assert odds.uncorrectable < 1e-15


def independent_tail(code: FecCode, ber: float) -> float:
    """Return the binomial tail in 100 digits; its terms fall by far more than half."""
    with localcontext(prec=100):
        right = (1 - Decimal(ber)) ** code.symbol_bits
        symbols, most = code.codeword_symbols, code.correctable_symbols
        term = right**symbols
        total = Decimal(0)
        for wrong in range(1, most + 60):
            term *= (1 - right) / right * (symbols - wrong + 1) / wrong
            total += term if wrong > most else 0
        return float(total)


@NAMES
@pytest.mark.parametrize("ber", [1e-15, 1e-12, 1e-8, 1e-5])
def test_without_bursts_a_codeword_is_binomial_to_twelve_digits(
    name: str, ber: float
) -> None:
    code = CODES[name]
    tail = channel(ber=ber, burst_share=0).codeword_odds(code).uncorrectable
    assert tail == pytest.approx(independent_tail(code, ber), rel=1e-12, abs=0)


def assert_same(got: CodewordOdds, expected: CodewordOdds, rel: float) -> None:
    """Compare tails; that of any wrong symbol rather than what lies between the two."""
    assert got.uncorrectable == pytest.approx(
        expected.uncorrectable, rel=rel, abs=1e-290
    )
    any_wrong = expected.corrected + expected.uncorrectable
    assert got.corrected + got.uncorrectable == pytest.approx(any_wrong, rel=rel)


@NAMES
@given(ber=st.floats(-15, -1.5).map(lambda power: 10**power))
def test_without_bursts_the_channel_is_the_independent_one(
    name: str, ber: float
) -> None:
    code, independent = CODES[name], codeword_odds(CODES[name], ber)
    none = channel(ber=ber, burst_share=0)
    # The binomial from scipy is off by 3e-12 itself.
    assert_same(none.codeword_odds(code), independent, 5e-12)
    count = np.array([1, 50, 3, 3])
    # 1 - ber is rounded to 16 digits and then multiplied for each of 130,000 bits.
    assert none.train_odds(code, count) == pytest.approx(
        train_odds(independent.uncorrectable, count), rel=3e-11, abs=1e-290
    )


@NAMES
@given(ber=st.floats(-4, -1.5).map(lambda power: 10**power))
def test_bursts_that_remember_nothing_are_independent_errors(
    name: str, ber: float
) -> None:
    # Of this length, the next bit is in a burst whether or not this one is.
    forgetful = channel(ber=ber, burst_ber=0.4, burst_bits=1 / (1 - ber / 0.4))
    independent = codeword_odds(CODES[name], ber)
    assert_same(forgetful.codeword_odds(CODES[name]), independent, 1e-11)


@NAMES
def test_bursts_hardly_worse_than_the_rest_are_none(name: str) -> None:
    ber = 1e-4
    mild = channel(ber=ber, burst_ber=ber * (1 + 1e-9), burst_share=0.3)
    expected = codeword_odds(CODES[name], ber)
    assert_same(mild.codeword_odds(CODES[name]), expected, 1e-6)


@NAMES
def test_bursts_that_outlast_codewords_mix_two_independent_channels(name: str) -> None:
    code = CODES[name]
    long = channel(ber=1e-3, burst_ber=0.01, burst_bits=1e13, burst_share=0.8)
    share = long.burst_fraction
    inside = codeword_odds(code, long.burst_ber)
    outside = codeword_odds(code, long.good_ber)
    expected = CodewordOdds(
        corrected=share * inside.corrected + (1 - share) * outside.corrected,
        uncorrectable=share * inside.uncorrectable
        + (1 - share) * outside.uncorrectable,
    )
    assert_same(long.codeword_odds(code), expected, 1e-8)
    mixed = share * train_odds(inside.uncorrectable, np.array([5])) + (
        1 - share
    ) * train_odds(outside.uncorrectable, np.array([5]))
    assert long.train_odds(code, np.array([5])) == pytest.approx(mixed, rel=1e-8)


def test_solid_bursts_of_one_bit_are_single_errors() -> None:
    single = channel(ber=1e-6, burst_ber=1, burst_bits=1)
    # Two wrong bits in a row would be a burst of two.
    assert single.codeword_odds(code_of(2, 1, 0)).uncorrectable == pytest.approx(2e-6)
    assert single.codeword_odds(code_of(1, 2, 1)).uncorrectable == 0


@given(bursts=channels, burst_bits=st.floats(1, 1000))
def test_the_mean_bit_error_rate_is_the_links_whatever_the_bursts(
    bursts: BurstChannel, burst_bits: float
) -> None:
    one_bit = code_of(1, 1, 0)
    for ber in (1e-12, 1e-7, 0.1):
        settings = {"burst_bits": burst_bits, "burst_ber": bursts.burst_ber}
        odds = channel(ber=ber, **settings).codeword_odds(one_bit)
        assert odds.uncorrectable == pytest.approx(ber, rel=1e-13)


@given(bursts=channels, name=st.sampled_from(sorted(CODES)), count=st.integers(2, 40))
def test_a_train_is_damaged_more_often_than_a_codeword_but_not_more_than_their_sum(
    bursts: BurstChannel, name: str, count: int
) -> None:
    one, many = bursts.train_odds(CODES[name], np.array([1, count]))
    odds = bursts.codeword_odds(CODES[name])
    assert one == pytest.approx(odds.uncorrectable, rel=1e-12)
    # Each of up to 218,000 bits rounds to 16 digits, which shows where odds are near 1.
    assert one * (1 - 1e-10) <= many <= min(1, count * one * (1 + 1e-10))
    assert odds.corrected >= 0
    assert odds.corrected + odds.uncorrectable <= 1 + 1e-9


def test_a_clean_wire_has_no_bursts() -> None:
    clean = channel(ber=0)
    assert clean.codeword_odds(CODES["none"]) == CodewordOdds(
        corrected=0, uncorrectable=0
    )
    assert clean.train_odds(CODES["none"], np.array([9])).tolist() == [0]
