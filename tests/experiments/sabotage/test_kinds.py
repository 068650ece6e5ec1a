"""All kinds of sabotage: what variants change, and of what they mean something."""

from collections.abc import Callable, Mapping

import numpy as np
import pytest

from chip.dataflow import Dataflow
from chip.program import Program
from experiments.sabotage.case import Sabotage, SabotageCase
from experiments.sabotage.kinds import KINDS, applies

Cases = Mapping[str, SabotageCase]
CODE = ("instructions", "trains", "kinds", "deskews", "period_cycles", "token_cycles")
STATED = ("values", "names", "passes", "operations", "reads", "writes", "messages")
# Whose statements follow the instructions, but not so that they would be believed.
FOLLOWED = ("marks and nothing else", "a vector dropped")


def same(one: Program | Dataflow, other: Program | Dataflow, *names: str) -> bool:
    return all(
        getattr(one, name) is getattr(other, name)
        or getattr(one, name) == getattr(other, name)
        for name in names
    )


def test_kinds_are_told_apart_by_what_was_changed() -> None:
    names = [(each.kind, each.variant) for each in KINDS]
    assert len(set(names)) == len(names) > 90
    assert {variant for _, variant in names} == {"instructions", "statements", "both"}


@pytest.mark.parametrize(
    "name", ["small decoder", "small experts", "small prompt", "all-reduce two-step"]
)
def test_instructions_or_statements_are_changed_and_the_others_stay(
    cases: Cases, name: str
) -> None:
    case = cases[name]
    drawn = 0
    for each in KINDS:
        if not applies(case, each):
            continue
        made = each.change(case, np.random.default_rng(2))
        if made is None:
            continue
        drawn += 1
        assert made is not case.program
        if each.variant == "instructions":
            assert made.dataflow is not None
            assert same(made.dataflow, case.flow, *STATED, "carried"), each.kind
            assert not same(made, case.program, *CODE), each.kind
        elif each.variant == "statements" and each.kind not in FOLLOWED:
            assert same(made, case.program, "instructions", "trains", "kinds")
    assert drawn > 40


def test_what_is_of_models_means_nothing_of_a_collective(
    cases: Cases, sabotage: Callable[[str, str], Sabotage]
) -> None:
    model, collective = cases["small decoder"], cases["all-reduce two-step"]
    layer = sabotage("a layer left out", "both")
    dropped = sabotage("a message dropped", "instructions")
    summed = sabotage("a partial sum left out", "statements")
    assert [applies(model, each) for each in (layer, dropped, summed)] == [True] * 3
    found = [applies(collective, each) for each in (layer, dropped, summed)]
    assert found == [False, True, True]
    # A program that is not proven has hazards alone.
    graph = model._replace(plan=None)
    early = sabotage("an instruction a cycle earlier", "instructions")
    assert [applies(graph, each) for each in (layer, early)] == [False, True]
