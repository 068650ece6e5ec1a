"""Half round trips of simulated links against the measured table."""

import numpy as np
import pytest

from experiments.validation.link_round_trips import EXCHANGES, TABLE_2, half_round_trips


@pytest.mark.parametrize("seed", [1, 2])
def test_every_link_has_the_published_mean_and_deviation(seed: int) -> None:
    halves = half_round_trips(seed, EXCHANGES)
    mean = np.array([row.mean for row in TABLE_2])
    deviation = np.array([row.deviation for row in TABLE_2])
    assert np.abs(halves.mean(axis=0) - mean).max() < 0.05
    assert np.abs(halves.std(axis=0) - deviation).max() < 0.03


@pytest.mark.parametrize("seed", [1, 2])
def test_least_and_most_come_out_near_the_published_ones(seed: int) -> None:
    halves = half_round_trips(seed, EXCHANGES)
    least = np.array([row.least for row in TABLE_2])
    most = np.array([row.most for row in TABLE_2])
    assert np.abs(halves.min(axis=0) - least).max() <= 2
    assert np.abs(halves.max(axis=0) - most).max() <= 2
