import re
from functools import cache
from pathlib import Path

import pandas as pd
import pytest

from experiments.audit.audit import MODELS, audit_table, fingerprint, measured
from experiments.audit.claim import Outcome, load_claims, outcome_of
from experiments.audit.claims_page import NOT_COMPUTED, claims_page, number
from experiments.audit.decoding_measures import DEMO
from experiments.audit.measures import MEASURES
from experiments.claims import page
from specs.scenario import Scenario

DOCS = Path(__file__).parents[3] / "docs"
AGAIN = "run python -m experiments.claims, and take claims.md and claims.csv to docs"


@cache
def shipped() -> pd.DataFrame:
    return pd.read_csv(DOCS / "claims.csv", dtype={"fingerprint": str})


def values_of(table: pd.DataFrame) -> dict[str, float | None]:
    named = zip(table["measure"], table["model_says"], strict=True)
    return {name: None if pd.isna(value) else value for name, value in named}


def test_the_page_of_claims_is_made_of_its_table() -> None:
    made = claims_page(shipped(), load_claims())
    assert (DOCS / "claims.md").read_text(encoding="utf-8") == made, AGAIN
    assert page(shipped()) == made


def test_the_table_of_claims_is_of_the_claims_machine_and_models_there_are() -> None:
    assert set(shipped()["fingerprint"]) == {fingerprint()}, AGAIN
    asked = [name for claim in load_claims().claims for name in claim.measures]
    assert shipped()["measure"].tolist() == asked, AGAIN
    for claim in load_claims().claims:
        rows = shipped()[shipped()["claim"] == claim.claim]
        says = outcome_of(claim, list(values_of(rows).values()))
        assert set(rows["outcome"]) == {str(says)}


def test_what_is_measured_fast_is_measured_again() -> None:
    for name, value in values_of(shipped()).items():
        if not MEASURES[name].long:
            again = measured(name)
            assert again == (None if value is None else pytest.approx(value)), AGAIN


def test_the_demo_of_the_table_is_that_of_the_readme() -> None:
    # The README is run as shown, so that the table is out of date if its demo moves.
    readme = (DOCS.parent / "README.md").read_text(encoding="utf-8")
    found = re.search(r"([\d.]+) tokens/s", readme)
    assert found is not None
    assert (DEMO.model, DEMO.chips, DEMO.strategy) == (
        *(Scenario().model, Scenario().chips, Scenario().strategy),
    )
    rate = values_of(shipped())["rate_demo"]
    assert rate is not None
    assert f"{rate:.1f}" == found[1], AGAIN


def test_a_page_that_differs_from_its_table_is_seen() -> None:
    table = shipped().copy()
    row = table.index[table["measure"] == "chips_70b_bytes"][0]
    table.loc[row, "model_says"] = 18.0
    assert claims_page(table, load_claims()) != claims_page(shipped(), load_claims())


def test_a_quick_audit_leaves_out_claims_that_take_long() -> None:
    claims = load_claims()
    one = claims.model_copy(update={"claims": claims.claims[:1]})
    assert audit_table(quick=True, claims=one).empty
    hops = [each for each in claims.claims if "hops_every" in each.measures]
    table = audit_table(
        quick=True, claims=claims.model_copy(update={"claims": tuple(hops)})
    )
    # Every hop makes six of the published five; the gateway rule makes five.
    assert table["model_says"].tolist() == [6, 5]
    assert set(table["outcome"]) == {str(Outcome.DEPENDS)}
    assert table["met"].tolist() == [False, True]


def test_what_cannot_be_computed_says_so() -> None:
    assert number(None) == number(float("nan")) == NOT_COMPUTED
    assert number(float("inf")) == "none"
    assert measured("customer_saving") is None
    assert measured("lpx_throughput_per_mw") is None
    assert MODELS
