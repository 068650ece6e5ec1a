import pandas as pd
import pytest

from serving.results.slo import Slo, meets, parse_slo
from specs.errors import SpecError

MS = 10**9


def test_a_request_meets_all_objectives_or_none() -> None:
    records = pd.DataFrame(
        {
            "outcome": ["completed", "completed", "rate_limited"],
            "ttft_ps": [200 * MS, 200 * MS + 1, 0],
            "tpot_ps": [5 * MS, 5 * MS, 0],
            "e2el_ps": [9 * MS, 9 * MS, 0],
        }
    )
    assert meets(records, Slo(ttft_ms=200)).tolist() == [True, False, False]
    assert meets(records, Slo()).tolist() == [True, True, False]
    assert meets(records, Slo(e2el_ms=8)).tolist() == [False] * 3


@pytest.mark.parametrize(
    ("part", "fault"),
    [
        ("tft:200", "did you mean 'ttft'"),
        ("ttft", "as in ttft:200"),
        ("ttft:soon", "must be ms > 0"),
        ("tpot:0", "must be ms > 0"),
    ],
)
def test_objectives_that_cannot_be_are_refused(part: str, fault: str) -> None:
    with pytest.raises(SpecError, match=fault):
        parse_slo([part])
