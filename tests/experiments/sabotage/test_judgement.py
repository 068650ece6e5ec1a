"""Kinds of sabotage and what is said of them."""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import pytest

from compiler.verify import verify
from experiments.sabotage.case import Sabotage, SabotageCase
from experiments.sabotage.judgement import judged
from experiments.sabotage.kinds import KINDS, applies
from experiments.sabotage.program_edits import chosen_rows

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


def test_a_deskew_dropped_is_harmless_only_if_no_link_needs_it(
    cases: Cases, sabotage: Find
) -> None:
    case = cases["all-reduce two-step"]
    deskews = case.program.deskews
    # Chip 0 deskews once more when all is over, before the next period begins.
    surplus = replace(
        case.program,
        period_cycles=2_000,
        deskews=replace(
            deskews,
            chip=np.insert(deskews.chip, 1, 0),
            start_cycle=np.insert(deskews.start_cycle, 1, 1_710),
        ),
    )

    def without(row: int) -> Sabotage:
        kept = np.delete(np.arange(len(surplus.deskews)), row)
        changed = replace(surplus, deskews=chosen_rows(surplus.deskews, kept))
        return sabotage("a deskew dropped", "instructions")._replace(
            change=lambda *_: changed
        )

    verify(surplus, case.topology, case.machine, plan=case.plan)
    tampered = case._replace(program=surplus, results=None)
    verdicts = [
        judged(tampered, without(row), np.random.default_rng(1)).verdict
        for row in range(3)
    ]
    assert verdicts == ["harmless", "harmless", "caught"]


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
