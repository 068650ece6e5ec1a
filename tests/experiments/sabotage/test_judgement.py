"""Kinds of sabotage and what is said of them."""

import re
from collections.abc import Callable, Mapping

import numpy as np
import pytest

from experiments.sabotage.case import Sabotage, SabotageCase
from experiments.sabotage.judgement import judged
from experiments.sabotage.kinds import KINDS, applies

Cases = Mapping[str, SabotageCase]
Find = Callable[[str, str], Sabotage]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("small decoder", ""),
        ("small experts", "expert|fewer|partial"),
        ("small prompt", "pass|answered|vector dropped"),
        ("small LSTM", ""),
        ("all-reduce two-step", ""),
    ],
)
def test_no_sabotage_of_a_small_program_is_missed(
    cases: Cases, name: str, words: str
) -> None:
    case = cases[name]._replace(results=None)
    missed = [
        f"{each.kind}, {each.variant}"
        for each in KINDS
        if re.search(words, each.kind) and applies(case, each)
        if judged(case, each, np.random.default_rng(3)).verdict == "missed"
    ]
    assert missed == []


def test_a_change_that_changes_nothing_is_harmless(
    cases: Cases, sabotage: Find
) -> None:
    case = cases["small decoder"]
    # Chips that do the same work are alike to their instructions.
    made = judged(
        case,
        sabotage("two chips' operators swapped", "instructions"),
        np.random.default_rng(1),
    )
    assert made == ("harmless", "", False)


@pytest.mark.parametrize(
    "kind", ["a message dropped", "a product deleted", "a copy in place of an operator"]
)
def test_what_is_refused_computes_something_else(
    cases: Cases, sabotage: Find, kind: str
) -> None:
    variant = "statements" if kind.startswith("a copy") else "both"
    case = cases["small decoder"]
    made = judged(case, sabotage(kind, variant), np.random.default_rng(1))
    assert (made.verdict, made.differs) == ("caught", True)


def test_what_no_rule_can_see_is_missed(cases: Cases, sabotage: Find) -> None:
    case: SabotageCase = cases["all-reduce two-step"]._replace(plan=None)
    # Without a statement of what a collective sends, a whole one may be left out.
    made = judged(
        case,
        sabotage("marks and nothing else", "instructions"),
        np.random.default_rng(1),
    )
    assert made.verdict == "missed"
