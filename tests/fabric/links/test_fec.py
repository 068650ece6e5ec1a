import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fabric.links.fec import codeword_odds, codewords, train_odds
from specs.fec import fec_codes

CODES = fec_codes()


@pytest.mark.parametrize(
    ("code", "ber", "odds"),
    [
        ("rs528", 1e-4, 8.926911e-8),
        ("rs544", 2.4e-4, 8.151573e-13),
        ("rs544", 1e-4, 1.359811e-18),
    ],
)
def test_a_codeword_fails_as_often_as_reference_tables_say(
    code: str, ber: float, odds: float
) -> None:
    assert codeword_odds(CODES[code], ber).uncorrectable == pytest.approx(
        odds, rel=1e-6
    )


def test_without_a_code_every_wrong_bit_is_an_error() -> None:
    odds = codeword_odds(CODES["none"], 1e-6)
    assert odds.corrected == 0
    assert odds.uncorrectable == pytest.approx(1 - (1 - 1e-6) ** 2624)


def test_a_single_bit_code_fails_from_two_wrong_bits_on() -> None:
    odds = codeword_odds(CODES["secded"], 1e-3)
    none = (1 - 1e-3) ** 2624
    one = 2624 * 1e-3 * (1 - 1e-3) ** 2623
    assert odds.corrected == pytest.approx(one)
    assert odds.uncorrectable == pytest.approx(1 - none - one)


def test_a_clean_wire_has_no_errors() -> None:
    odds = codeword_odds(CODES["rs528"], 0)
    assert odds.corrected == odds.uncorrectable == 0


@given(
    code=st.sampled_from(sorted(CODES)),
    ber=st.floats(1e-15, 0.4),
    worse=st.floats(1, 9),
)
def test_odds_are_odds_and_grow_with_the_bit_error_rate(
    code: str, ber: float, worse: float
) -> None:
    odds = codeword_odds(CODES[code], ber)
    assert odds.corrected >= 0
    assert 0 <= odds.uncorrectable <= 1
    assert odds.corrected + odds.uncorrectable <= 1 + 1e-12
    more = codeword_odds(CODES[code], min(0.49, ber * worse))
    assert more.uncorrectable >= odds.uncorrectable * (1 - 1e-9)


def test_a_train_takes_whole_codewords() -> None:
    vectors = np.array([1, 2, 3, 100])
    # A vector is 2560 bits; RS(528,514) carries 5140 in a codeword.
    assert codewords(CODES["rs528"], vectors, 320).tolist() == [1, 1, 2, 50]
    assert codewords(CODES["secded"], vectors, 320).tolist() == [1, 2, 3, 100]


def test_a_train_is_hit_if_any_of_its_codewords_is() -> None:
    odds = train_odds(0.5, np.array([1, 2, 3]))
    assert odds == pytest.approx([1 / 2, 3 / 4, 7 / 8])
    assert train_odds(1e-20, np.array([10]))[0] == pytest.approx(1e-19)
    assert train_odds(1.0, np.array([3])).tolist() == [1]
