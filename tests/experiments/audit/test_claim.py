import pytest

from experiments.audit.claim import (
    Claim,
    Claims,
    Outcome,
    load_claims,
    outcome_of,
    printed,
)
from experiments.audit.measures import MEASURES
from specs.cost import Source

CLAIM = Claim(
    topic="t",
    claim="c",
    least=2,
    most=3,
    unit="s",
    sources=("a",),
    measures=("x",),
    command="groqrack plan",
)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([2, 3], Outcome.HOLDS),
        ([1, 4], Outcome.DOES_NOT_HOLD),
        ([1, 2], Outcome.DEPENDS),
        ([None, 2], Outcome.HOLDS),
        ([None, None], Outcome.NOT_COMPUTED),
    ],
)
def test_a_outcome_follows_from_the_measurements(
    values: list[float | None], expected: Outcome
) -> None:
    assert outcome_of(CLAIM, values) is expected


def test_numbers_are_compared_as_they_are_printed() -> None:
    assert printed(1 + 3e-10) == 1
    assert CLAIM.met_by(3.0001)
    assert not CLAIM.met_by(3.001)


@pytest.mark.parametrize(
    ("least", "most", "text"),
    [
        (None, 3, "at most 3"),
        (2, None, "at least 2"),
        (2, 2, "2"),
        (2, 3, "2 to 3"),
    ],
)
def test_a_claim_says_which_numbers_meet_it(
    least: float | None, most: float | None, text: str
) -> None:
    assert CLAIM.model_copy(update={"least": least, "most": most}).claimed == text


def test_a_claim_without_a_number_or_a_source_is_refused() -> None:
    with pytest.raises(ValueError, match="says no number"):
        Claim.model_validate({**CLAIM.model_dump(), "least": None, "most": None})
    source = Source(title="t", publisher="p", date="2024")
    with pytest.raises(ValueError, match=r"\['a', 'b'\] are not cited, or not listed"):
        Claims(claims=(CLAIM,), sources={"b": source})


def test_every_shipped_claim_names_measurements_and_what_decides() -> None:
    claims = load_claims().claims
    assert len({claim.claim for claim in claims}) == len(claims)
    named = {name for claim in claims for name in claim.measures}
    assert named == MEASURES.keys()
    for claim in claims:
        assert len(set(claim.measures)) == len(claim.measures)


def test_no_claim_names_a_place_that_readers_cannot_reach() -> None:
    for source in load_claims().sources.values():
        assert "/" not in f"{source.title}{source.publisher}"
