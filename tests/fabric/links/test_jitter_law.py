import numpy as np
import pytest
from scipy.stats import beta

from fabric.links.jitter_law import JitterLaw

ROWS = ((0.25, 0.1), (0.2, 0.05), (0.3, 0.0))
LAW = JitterLaw.of("beta", ROWS, 0.5)
EACH = np.arange(3)


def test_quantiles_of_a_beta_law_are_those_of_the_distribution() -> None:
    # On the half of the span that it covers, a mean of 1/2 and a deviation of 1/5.
    levels = 2**12
    below = (np.arange(levels) + 0.5) / levels
    expected = 0.5 * beta.ppf(below, 2.625, 2.625)
    assert LAW.quantiles(levels)[0] == pytest.approx(expected, abs=0.5 / levels)


def test_a_beta_law_has_its_mean_and_deviation_and_ends() -> None:
    quantiles = LAW.quantiles(2**14)
    for row, (mean, deviation) in enumerate(ROWS):
        assert quantiles[row].mean() == pytest.approx(mean, abs=1e-5)
        assert quantiles[row].std() == pytest.approx(deviation, abs=1e-4)
    assert quantiles.min() > 0
    assert 0.49 < quantiles.max() < 0.5


@pytest.mark.parametrize("law", ["beta", "gaussian"])
def test_a_value_that_is_exceeded_with_some_odds_has_these_odds_beyond_it(
    law: str,
) -> None:
    made = JitterLaw.of(law, ROWS[:2], 0.5)
    for odds in (0.9, 0.5, 1e-3, 1e-9):
        given = np.full(2, odds)
        value = made.exceeded(EACH[:2], given)
        assert made.odds_beyond(EACH[:2], value) == pytest.approx(given, rel=1e-6)


def test_nothing_is_beyond_the_end_of_a_beta_law_and_all_beyond_nothing() -> None:
    assert LAW.odds_beyond(EACH, np.full(3, 0.5)).tolist() == [0, 0, 0]
    assert LAW.odds_beyond(EACH, np.full(3, 0.0)).tolist() == [1, 1, 1]
    # Without a deviation, all is at the mean.
    assert LAW.odds_beyond(EACH[2:], np.array([0.29])).tolist() == [1]
    assert LAW.odds_beyond(EACH[2:], np.array([0.31])).tolist() == [0]


def test_a_narrow_beta_law_goes_over_into_the_normal_one() -> None:
    # The first is narrow enough to count as normal, the second is not.
    values = []
    for deviation in (4.99e-4, 5.01e-4):
        law = JitterLaw.of("beta", ((0.25, deviation),), 0.5)
        far = law.exceeded(np.zeros(1, np.int64), np.array([1e-4]))
        values.append(float((far[0] - 0.25) / deviation))
    assert values[0] == pytest.approx(values[1], abs=0.01)
