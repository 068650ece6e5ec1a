import numpy as np
import pytest

from experiments.execution.operator_settings import (
    engine_weights,
    operator_settings,
    random_tokens,
)
from sharding.parallelism.tensor_group import Routing
from sharding.weights.task import Task
from specs.machine import load_machine
from specs.model import ModelSpec, model_from_config
from workloads.model_graph import graph_of
from workloads.reference.attention import rotation_angles, rotation_factor
from workloads.transformer.attention import rotary

SIZES = {
    "model_type": "llama",
    "hidden_size": 12,
    "intermediate_size": 20,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "vocab_size": 23,
    "max_position_embeddings": 32,
}


def task_of(model: ModelSpec) -> Task:
    return Task(model, load_machine(), 4, 8, 1)


@pytest.mark.parametrize(
    "scaling",
    [
        None,
        {"rope_type": "linear", "factor": 4.0},
        {
            "rope_type": "llama3",
            "factor": 8.0,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": 64,
        },
        {
            "rope_type": "llama3",
            "factor": 16.0,
            "low_freq_factor": 1.0,
            "high_freq_factor": 1.0,
            "original_max_position_embeddings": 64,
        },
        *(
            {
                "rope_type": "yarn",
                "factor": 40.0,
                "beta_fast": 4.0,
                "original_max_position_embeddings": trained,
                "truncate": whole,
            }
            # The pairs between those that are kept and those that are scaled: some,
            # or none.
            for trained in (4, 64, 4096)
            for whole in (True, False)
        ),
    ],
)
def test_rotations_are_those_of_the_reference(scaling: dict[str, object]) -> None:
    model = model_from_config({**SIZES, "rope_scaling": scaling}, name="tiny")
    graph = graph_of(model, context=3, batch=1, query_tokens=3)
    settings = operator_settings(graph, task_of(model))
    frequencies = settings["layers.1.attention.position"].frequencies
    angles = rotation_angles(rotary(model.numerical_settings, 8), graph.rows)
    assert np.outer([0, 1, 2], frequencies) == pytest.approx(angles)


def test_experts_have_room_for_an_even_share_if_their_routing_is_balanced() -> None:
    sizes = {"model_type": "mixtral", "num_local_experts": 4, "num_experts_per_tok": 2}
    model = model_from_config(SIZES | sizes, name="tiny")
    graph = graph_of(model, context=3, batch=1)
    balanced = task_of(model)._replace(expert=2, routing=Routing.BALANCED)
    groups = [
        operator_settings(graph, task)["layers.0.feed_forward.down"].balanced_groups
        for task in (task_of(model), balanced)
    ]
    assert groups == [0, 2]


def test_biases_and_weights_of_norms_are_vectors() -> None:
    rows = {
        "head.norm.weight": (1, 3),
        "layers.0.attention.query_norm.weight": (1, 3),
        "layers.0.attention.query.bias": (1, 3),
        "embedding.token_types.weight": (1, 3),
        # Each of two experts has its own.
        "layers.0.feed_forward.down.bias": (2, 3),
    }
    held = engine_weights({name: np.zeros(shape) for name, shape in rows.items()})
    assert [array.shape for array in held.values()] == [(3,)] * 3 + [(1, 3), (2, 3)]


def test_random_tokens_are_of_the_whole_vocabulary_and_of_their_seed() -> None:
    tokens = random_tokens(5, (3, 40), seed=2)
    assert tokens.shape == (3, 40)
    assert set(np.unique(tokens)) == {0, 1, 2, 3, 4}
    assert (tokens == random_tokens(5, (3, 40), seed=2)).all()
    assert (tokens != random_tokens(5, (3, 40), seed=3)).any()


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"mscale": 1.0},
        {"mscale": 0.7, "mscale_all_dim": 1.0},
        {"attention_factor": 1.5},
    ],
)
def test_what_is_rotated_grows_as_in_the_reference(given: dict[str, float]) -> None:
    scaling = {"rope_type": "yarn", "factor": 8.0, **given}
    model = model_from_config({**SIZES, "rope_scaling": scaling}, name="tiny")
    graph = graph_of(model, context=1, batch=1)
    settings = operator_settings(graph, task_of(model))
    expected = rotation_factor(rotary(model.numerical_settings, 8))
    assert expected != 1
    factor = settings["layers.1.attention.position"].rotated_factor
    assert factor == pytest.approx(expected)
