import numpy as np
import pytest

from serving.requests.lengths import LengthSpec, drawn_lengths
from specs.errors import SpecError
from specs.validation import build


def drawn(**content: object) -> np.ndarray:
    spec = build(LengthSpec, content, "length")
    return drawn_lengths(spec, 10_000, np.random.default_rng(1))


def test_lengths_follow_their_distribution_within_their_range() -> None:
    assert set(drawn(tokens=7)) == {7}
    lengths = drawn(kind="lognormal", median=100, sigma=0.5, max=300)
    assert np.median(lengths) == pytest.approx(100, rel=0.03)
    assert lengths.min() >= 1
    assert lengths.max() == 300
    values = drawn(kind="histogram", values=[5, 50], weights=[3, 1])
    assert (values == 5).mean() == pytest.approx(0.75, abs=0.02)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ({"kind": "constant"}, "needs tokens > 0"),
        ({"kind": "lognormal"}, "needs median > 0"),
        ({"kind": "histogram", "values": [1]}, "1 values and 0 weights"),
        ({"kind": "histogram", "values": [1], "weights": [0]}, "one of them > 0"),
        ({"tokens": 5, "min": 9, "max": 3}, "max 3 is below min 9"),
    ],
)
def test_lengths_that_cannot_be_are_refused(
    content: dict[str, object], fault: str
) -> None:
    with pytest.raises(SpecError, match=fault):
        build(LengthSpec, content, "length")
