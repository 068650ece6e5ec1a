"""Numbers of a program's first iteration, to which those of a sabotaged one compare."""

from collections.abc import Mapping
from itertools import pairwise

import numpy as np

from chip.dataflow import Pass
from experiments.execution.workload_values import random_inputs
from experiments.sabotage.case import SabotageCase
from experiments.sabotage.dataflow_edits import with_flow
from experiments.sabotage.first_token import first_iteration, first_token
from sharding.planner.plan import ShardingPlan
from sharding.workloads.workload_plan import WorkloadPlan
from workloads.model_graph import graph_of
from workloads.reference.evaluation import evaluate, random_weights

Cases = Mapping[str, SabotageCase]
Pieces = list[tuple[int, int, bytes]]


def columns(pieces: Pieces) -> dict[int, np.ndarray[tuple[int], np.dtype[np.float32]]]:
    """Return the numbers of each piece by its first column."""
    return {first: np.frombuffer(own, dtype=np.float32) for _, first, own in pieces}


def test_the_first_token_is_that_of_the_reference_on_an_empty_cache(
    cases: Cases,
) -> None:
    case = cases["small decoder"]
    assert isinstance(case.plan, ShardingPlan)
    found = first_token(case.plan)(case.program)
    graph = graph_of(case.plan.task.model, context=1, batch=1)
    expected = evaluate(graph, {"tokens": np.array([[5]])}, random_weights(graph, 1))
    # Chips 2 and 3, of the last stage, have half of the logits each.
    assert [(chip, first) for chip, first, _ in found["head.logits"]] == [
        (2, 0),
        (3, 128),
    ]
    logits = np.hstack([*columns(found["head.logits"]).values()])
    np.testing.assert_allclose(logits, expected["head.logits"][0], rtol=0, atol=1e-4)
    (token,) = {own for _, _, own in found["head.token"]}
    assert np.frombuffer(token, dtype=np.int64).tolist() == [logits.argmax()]
    # Chip 2 chose it, and sent it to those of the first stage.
    assert [chip for chip, _, _ in found["head.token"]] == [0, 1, 2]


def test_a_program_is_executed_with_one_position_whatever_context_it_states(
    cases: Cases,
) -> None:
    case = cases["small decoder"]
    assert isinstance(case.plan, ShardingPlan)
    results = first_token(case.plan)
    assert case.flow.passes[0].context_tokens == 32
    shorter = with_flow(case.program, passes=(Pass(7, 1, 1, 1),))
    assert results(shorter) == results(case.program)


def test_an_iteration_gives_the_states_that_the_reference_gives(cases: Cases) -> None:
    case = cases["small LSTM"]
    assert isinstance(case.plan, WorkloadPlan)
    found = first_iteration(case.plan)(case.program)
    graph, states = case.plan.graph
    given = random_inputs(case.plan, 1, 0)
    expected = evaluate(graph, given, random_weights(graph, 1))
    assert found.keys() == {*states.values()}
    for name, pieces in found.items():
        parts = columns(pieces)
        # Elements are counted column after column, of a batch of two.
        starts = sorted(parts)
        assert all(a + len(parts[a]) == b for a, b in pairwise(starts))
        flat = np.hstack([parts[first] for first in starts])
        own = flat.reshape(48, 2).T
        np.testing.assert_allclose(own, expected[name], rtol=0, atol=1e-5)
