"""Runner of programs: passes that follow each other continue the same KV caches."""

import numpy as np
import pytest

from experiments.execution.program_runner import ProgramRunner
from experiments.run.preparation import Prepared
from sharding.parallelism.strategy import parse_strategy
from sharding.placement.default_placement import placed_chips
from sharding.planner.plan import plan_sharding
from sharding.weights.task import Task
from specs.machine import load_machine
from specs.model import ModelSpec, model_from_config
from specs.scenario import Scenario
from topologies.selection import select_topology
from workloads.decoding import decode
from workloads.model_graph import graph_of
from workloads.reference.evaluation import evaluate, random_weights

SIZES = {
    "hidden_size": 16,
    "intermediate_size": 20,
    "num_hidden_layers": 1,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 23,
    "max_position_embeddings": 32,
}


def prepared(model: ModelSpec, strategy: str, context: int, batch: int = 1) -> Prepared:
    topology, split = select_topology(8), parse_strategy(strategy, 8)
    task = Task(model, load_machine(), 4, context, batch).split_as(split)
    plan = plan_sharding(task, split, placed_chips(topology, split), sequences=1)
    return Prepared(
        scenario=Scenario(),
        model=model,
        machine=task.machine,
        topology=topology,
        plan=plan,
    )


@pytest.fixture(scope="module")
def llama() -> ModelSpec:
    return model_from_config({"model_type": "llama", **SIZES}, name="tiny")


def test_tokens_behind_a_prompt_are_those_of_a_decoder_that_is_not_split(
    llama: ModelSpec,
) -> None:
    weights = random_weights(graph_of(llama, context=5, batch=1), 1)
    runner = ProgramRunner(prepared(llama, "tensor=2,data=2", 5), weights, np.float64)
    # Two replicas, each with a sequence of its own.
    prompts = np.array([[3, 1, 4], [1, 5, 9]])
    assert runner.programs == []
    first, logits = runner.prefilled(prompts, 2)
    second, later = runner.decoded(first, 4)
    # The pass of the prompt is a program for each replica, that of a token is one.
    assert len(runner.programs) == 3
    assert first.shape == second.shape == (2, 1)
    expected = [decode(llama, weights, row[None], 2) for row in prompts]
    tokens = np.vstack([each.tokens for each in expected])
    assert np.hstack([first, second]).tolist() == tokens.tolist()
    own = np.stack([logits, later], axis=1)
    wanted = np.vstack([each.logits for each in expected])
    np.testing.assert_allclose(own, wanted, rtol=0, atol=1e-10)


def test_a_token_without_those_before_it_is_not_what_it_would_be(
    llama: ModelSpec,
) -> None:
    weights = random_weights(graph_of(llama, context=5, batch=1), 1)
    plan = prepared(llama, "tensor=2", 5)
    one, other = (ProgramRunner(plan, weights, np.float64) for _ in range(2))
    given = np.array([[7]])
    one.decoded(np.array([[9]]), 1)
    behind = one.decoded(given, 2)[1]
    alone = other.decoded(given, 1)[1]
    assert np.abs(behind - alone).max() > 1e-6
    expected = decode(llama, weights, np.array([[9, 7]]), 1).logits[:, 0]
    np.testing.assert_allclose(behind, expected, rtol=0, atol=1e-10)


def test_rows_of_a_replica_follow_those_of_the_one_before(llama: ModelSpec) -> None:
    plan = prepared(llama, "tensor=2,data=2", 5, batch=2)
    runner = ProgramRunner(plan, {}, np.float32)
    rows = np.arange(8).reshape(4, 2)
    assert runner.sequences(rows, 0).tolist() == [[0, 1], [2, 3]]
    assert runner.sequences(rows, 1).tolist() == [[4, 5], [6, 7]]


def test_an_encoder_gives_the_pooled_states_of_each_sequence() -> None:
    sizes = {"model_type": "bert", "type_vocab_size": 2, **SIZES}
    bert = model_from_config(sizes, name="tiny")
    graph = graph_of(bert, context=3, batch=1)
    weights = random_weights(graph, 1)
    runner = ProgramRunner(prepared(bert, "tensor=2,data=2", 3), weights, np.float64)
    given = np.array([[3, 1, 4], [1, 5, 9]])
    found = runner.pooled(given)
    expected = [
        evaluate(graph, {"tokens": row[:, None]}, weights)["head.pooled"]
        for row in given
    ]
    np.testing.assert_allclose(found, np.vstack(expected), rtol=0, atol=1e-10)
    assert len(runner.programs) == 1
