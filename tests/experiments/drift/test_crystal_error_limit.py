"""Crystal error at which a program that deskews first breaks."""

import pandas as pd
import pytest

from experiments.clock_drift import planned
from experiments.drift.crystal_error_limit import error_limits


@pytest.mark.parametrize("epochs", [40, 1280])
def test_runs_that_deskew_break_only_beyond_what_the_guard_promises(
    epochs: int,
) -> None:
    table = pd.DataFrame(error_limits(planned(50.0, epochs), range(4)))
    assert (table["bound_ppm"] >= table["planned_ppm"]).all()
    assert (table["first_violating_ppm"] > table["bound_ppm"]).all()
    # With a short interval the deskews of idle chips are the first to be misread.
    assert table["misread"].all() == (epochs == 40)
