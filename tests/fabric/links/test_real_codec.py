"""The criterion behind the probabilities, held against a real Reed-Solomon decoder.

The codec is the library reedsolo; simulations never move a parity symbol.
"""

from collections.abc import Iterator

import numpy as np
import pytest
import reedsolo
from numpy.typing import NDArray

from fabric.links.burst_channel import BurstChannel
from fabric.links.fec import CodewordOdds, codeword_odds
from specs.fec import FecCode, fec_codes
from specs.machine import load_machine

CODES = pytest.mark.parametrize("name", ["rs528", "rs544"])
# x^10 + x^3 + 1, the field of IEEE 802.3's codes.
FIELD = 0x409


# x^8 + x^4 + x^3 + x^2 + 1, for codes of bytes.
BYTE_FIELD = 0x11D
SHORT_CODE = FecCode(
    symbol_bits=8,
    codeword_symbols=30,
    data_symbols=24,
    correctable_symbols=3,
    in_frame=True,
    decode_cycles=0,
)
# A Hamming code of 71 bits and a parity bit over all, as memories have.
SINGLE_BIT_CODE = FecCode(
    symbol_bits=1,
    codeword_symbols=72,
    data_symbols=64,
    correctable_symbols=1,
    in_frame=True,
    decode_cycles=0,
)


def codec_of(code: FecCode, field: int) -> reedsolo.RSCodec:
    return reedsolo.RSCodec(
        code.codeword_symbols - code.data_symbols,
        nsize=code.codeword_symbols,
        fcr=0,
        prim=field,
        generator=2,
        c_exp=code.symbol_bits,
    )


def real_codec(name: str) -> reedsolo.RSCodec:
    return codec_of(fec_codes()[name], FIELD)


def decodes(codec: reedsolo.RSCodec, received: list[int], sent: list[int]) -> bool:
    try:
        return list(codec.decode(received)[0]) == sent
    except reedsolo.ReedSolomonError:
        return False


@CODES
def test_a_codeword_is_repaired_if_and_only_if_few_enough_symbols_are_wrong(
    name: str,
) -> None:
    code, codec = fec_codes()[name], real_codec(name)
    rng = np.random.default_rng(1)
    for wrong in (0, 1, code.correctable_symbols, code.correctable_symbols + 1):
        for _ in range(4):
            sent = rng.integers(0, 2**code.symbol_bits, code.data_symbols).tolist()
            word = np.array(list(codec.encode(sent)))
            at = rng.choice(code.codeword_symbols, wrong, replace=False)
            word[at] ^= rng.integers(1, 2**code.symbol_bits, wrong)
            repaired = decodes(codec, word.tolist(), sent)
            assert repaired == (wrong <= code.correctable_symbols)


@CODES
def test_flipped_bits_fail_as_often_as_the_closed_form_says(name: str) -> None:
    code, codec = fec_codes()[name], real_codec(name)
    rng = np.random.default_rng(2)
    # About half of all codewords fail at this rate.
    ber = (code.correctable_symbols + 0.7) / code.codeword_symbols / code.symbol_bits
    odds = codeword_odds(code, ber).uncorrectable
    trials = 80
    failures = 0
    for _ in range(trials):
        sent = rng.integers(0, 2**code.symbol_bits, code.data_symbols).tolist()
        word = np.array(list(codec.encode(sent)))
        flips = rng.random((code.codeword_symbols, code.symbol_bits)) < ber
        word ^= flips @ (1 << np.arange(code.symbol_bits))
        failures += not decodes(codec, word.tolist(), sent)
    spread = (odds * (1 - odds) * trials) ** 0.5
    assert abs(failures - odds * trials) < 4 * spread


def bursts_of(ber: float, **settings: float) -> BurstChannel:
    dotted = {f"link.{key}": value for key, value in settings.items()}
    machine = load_machine().with_settings(
        {"link.errors": "bursts", "link.ber": ber, **dotted}
    )
    return BurstChannel.of(machine.link)


def flips_of(
    channel: BurstChannel, code: FecCode, codewords: int, rng: np.random.Generator
) -> Iterator[NDArray[np.int64]]:
    """Send codewords in a row through the channel, stay by stay in its states.

    Each is what is to be added to the symbols, shape ``(symbols,)``.
    """
    shape = (codewords, code.codeword_symbols, code.symbol_bits)
    burst = np.zeros(int(np.prod(shape)), dtype=bool)
    state, at = rng.random() < channel.burst_fraction, 0
    while at < len(burst):
        stay = int(rng.geometric(channel.end if state else channel.begin))
        burst[at : at + stay] = state
        state, at = not state, at + stay
    ber = np.where(burst, channel.burst_ber, channel.good_ber)
    flips = (rng.random(len(ber)) < ber).reshape(shape)
    yield from flips @ (1 << np.arange(code.symbol_bits))


def assert_as_often(happened: int, odds: float, trials: int) -> None:
    assert happened >= 10, "too rare to compare"
    spread = (odds * (1 - odds) * trials) ** 0.5
    assert abs(happened - odds * trials) < 4 * spread


def compare_codewords(
    codec: reedsolo.RSCodec, code: FecCode, channel: BurstChannel, trials: int
) -> None:
    rng = np.random.default_rng(3)
    corrected = failures = 0
    for _ in range(trials):
        sent = rng.integers(0, 2**code.symbol_bits, code.data_symbols).tolist()
        word = np.array(list(codec.encode(sent)))
        (flips,) = flips_of(channel, code, 1, rng)
        repaired = decodes(codec, (word ^ flips).tolist(), sent)
        corrected += repaired and bool(flips.any())
        failures += not repaired
    odds: CodewordOdds = channel.codeword_odds(code)
    assert_as_often(corrected, odds.corrected, trials)
    assert_as_often(failures, odds.uncorrectable, trials)


def test_bursts_defeat_a_short_code_as_often_as_the_closed_form_says() -> None:
    channel = bursts_of(0.02, burst_bits=15, burst_share=0.9)
    codec = codec_of(SHORT_CODE, BYTE_FIELD)
    compare_codewords(codec, SHORT_CODE, channel, trials=5000)


@CODES
def test_bursts_defeat_a_code_of_ethernet_as_often_as_the_closed_form_says(
    name: str,
) -> None:
    code = fec_codes()[name]
    # Most codewords are repaired at this rate, and enough are not.
    ber = 0.005 if name == "rs544" else 0.0025
    compare_codewords(real_codec(name), code, bursts_of(ber, burst_bits=20), trials=150)


def test_a_burst_that_goes_on_into_the_next_codeword_counts_in_both() -> None:
    code, codec = SHORT_CODE, codec_of(SHORT_CODE, BYTE_FIELD)
    channel = bursts_of(0.05, burst_bits=500)
    rng = np.random.default_rng(4)
    in_train, trials, damaged = 4, 1500, 0
    for _ in range(trials):
        bad = False
        for flips in flips_of(channel, code, in_train, rng):
            sent = rng.integers(0, 256, code.data_symbols).tolist()
            word = np.array(list(codec.encode(sent))) ^ flips
            bad |= not decodes(codec, word.tolist(), sent)
        damaged += bad
    (odds,) = channel.train_odds(code, np.array([in_train]))
    assert_as_often(damaged, float(odds), trials)
    # Were codewords independent of each other, far more trains would be hit.
    alone = channel.codeword_odds(code).uncorrectable
    spread = (odds * (1 - odds) * trials) ** 0.5
    assert (1 - (1 - alone) ** in_train) * trials > damaged + 4 * spread


def hamming_encode(data: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return 64 bits with checks at places 1, 2, 4, ... 64 and parity at place 0."""
    word = np.zeros(72, dtype=np.int64)
    places = np.arange(72)
    word[(places & (places - 1)) != 0] = data
    syndrome = np.bitwise_xor.reduce(places[word == 1])
    word[1 << np.arange(7)] = syndrome >> np.arange(7) & 1
    word[0] = word.sum() % 2
    return word


def hamming_decode(word: NDArray[np.int64]) -> NDArray[np.int64] | None:
    """Return the word with one wrong bit put right, None if that cannot be all."""
    syndrome = int(np.bitwise_xor.reduce(np.arange(72)[word == 1], initial=0))
    odd = word.sum() % 2 == 1
    if not odd:
        return None if syndrome else word
    if syndrome >= len(word):
        return None
    repaired = word.copy()
    repaired[syndrome] ^= 1
    return repaired


def test_bursts_defeat_a_real_single_bit_code_as_often_as_the_closed_form_says() -> (
    None
):
    channel = bursts_of(0.01, burst_bits=3, burst_share=0.7)
    rng = np.random.default_rng(5)
    trials, corrected, failures = 10_000, 0, 0
    for _ in range(trials):
        sent = hamming_encode(rng.integers(0, 2, 64))
        (flips,) = flips_of(channel, SINGLE_BIT_CODE, 1, rng)
        received = hamming_decode(sent ^ flips)
        repaired = received is not None and bool((received == sent).all())
        corrected += repaired and bool(flips.any())
        failures += not repaired
    odds = channel.codeword_odds(SINGLE_BIT_CODE)
    assert_as_often(corrected, odds.corrected, trials)
    assert_as_often(failures, odds.uncorrectable, trials)
