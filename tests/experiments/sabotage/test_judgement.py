"""Kinds of sabotage and what is said of them."""

import re

import numpy as np
import pytest

from experiments.sabotage.case import Sabotage, SabotageCase
from experiments.sabotage.judgement import judged
from experiments.sabotage.kinds import KINDS, applies
from experiments.sabotage.schedules import quick_schedules

CASES = {case.name: case for case in quick_schedules()}


def sabotage(kind: str, variant: str) -> Sabotage:
    (found,) = [each for each in KINDS if (each.kind, each.variant) == (kind, variant)]
    return found


def test_kinds_are_told_apart_by_what_was_changed() -> None:
    names = [(each.kind, each.variant) for each in KINDS]
    assert len(set(names)) == len(names) > 90
    assert {variant for _, variant in names} == {"instructions", "statements", "both"}


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
def test_no_sabotage_of_a_small_program_is_missed(name: str, words: str) -> None:
    case = CASES[name]._replace(results=None)
    missed = [
        f"{each.kind}, {each.variant}"
        for each in KINDS
        if re.search(words, each.kind) and applies(case, each)
        if judged(case, each, np.random.default_rng(3)).verdict == "missed"
    ]
    assert missed == []


def test_a_change_that_changes_nothing_is_harmless() -> None:
    case = CASES["small decoder"]
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
def test_what_is_refused_computes_something_else(kind: str) -> None:
    variant = "statements" if kind.startswith("a copy") else "both"
    case = CASES["small decoder"]
    made = judged(case, sabotage(kind, variant), np.random.default_rng(1))
    assert (made.verdict, made.differs) == ("caught", True)


def test_what_no_rule_can_see_is_missed() -> None:
    case: SabotageCase = CASES["all-reduce two-step"]._replace(plan=None)
    # Without a statement of what a collective sends, a whole one may be left out.
    made = judged(
        case,
        sabotage("marks and nothing else", "instructions"),
        np.random.default_rng(1),
    )
    assert made.verdict == "missed"
