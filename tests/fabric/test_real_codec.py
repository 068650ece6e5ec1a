"""The criterion behind the probabilities, held against a real Reed-Solomon decoder.

The codec is the library reedsolo; simulations never move a parity symbol.
"""

import numpy as np
import pytest
import reedsolo

from fabric.fec import codeword_odds
from specs.fec import fec_codes

CODES = pytest.mark.parametrize("name", ["rs528", "rs544"])
# x^10 + x^3 + 1, the field of IEEE 802.3's codes.
FIELD = 0x409


def real_codec(name: str) -> reedsolo.RSCodec:
    code = fec_codes()[name]
    return reedsolo.RSCodec(
        code.codeword_symbols - code.data_symbols,
        nsize=code.codeword_symbols,
        fcr=0,
        prim=FIELD,
        generator=2,
        c_exp=code.symbol_bits,
    )


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
