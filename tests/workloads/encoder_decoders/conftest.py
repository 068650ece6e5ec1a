import json
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

from specs.encoder_decoders.pass_names import PassName
from specs.encoder_decoders.reading import encoder_decoder_from_config
from tests.workloads.encoder_decoders.make_transformers_values import (
    CASES,
    GIVEN,
    VALUES,
    drawn,
    features,
)
from workloads.encoder_decoders.checkpoint_weights import checkpoint_weights
from workloads.encoder_decoders.pass_graph import PassGraph, graph_of_model
from workloads.graphs.graph_of_workload import graph_of_workload
from workloads.graphs.workload import Workload
from workloads.reference.activations import Array
from workloads.reference.evaluation import evaluate

# Stored values have ten digits behind the point.
TOLERANCE = 1e-8


class Pass(NamedTuple):
    """A pass of two sequences with the weights of a checkpoint."""

    graph: PassGraph
    workload: Workload
    weights: dict[str, Array]

    def evaluated(self, values: dict[str, Array]) -> dict[str, Array]:
        """Return all values after an iteration."""
        return evaluate(graph_of_workload(self.workload).graph, values, self.weights)


class Case(NamedTuple):
    """A tiny encoder-decoder, and what Hugging Face transformers computes of it."""

    name: str
    expected: dict[str, Any]

    def passed(
        self, stack: Any, context: int | None = None, positions: int | None = None
    ) -> Pass:
        """Return one of its passes."""
        model = encoder_decoder_from_config(CASES[self.name], self.name)
        named = PassName(self.name, stack, context, positions or len(GIVEN[0]))
        graph = graph_of_model(model, named)
        shapes = self.expected["shapes"]
        checkpoint = {name: drawn(name, shape) for name, shape in shapes.items()}
        workload = Workload(graph.name, graph.tensors, graph.operators)
        weights = checkpoint_weights(graph, checkpoint)
        return Pass(graph, workload.batched(2), weights)

    def encoded(self) -> dict[str, Array]:
        """Return the cross keys and values of two inputs."""
        encoder = self.passed("encoder")
        audio = encoder.graph.model.structure.audio
        given = features().reshape(-1, features().shape[-1])
        values = {
            "encoder.features" if audio else "encoder.tokens": given
            if audio
            else np.reshape(GIVEN, (-1, 1))
        }
        return encoder.evaluated(values)


@pytest.fixture(scope="session")
def published() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(VALUES.read_text("utf-8"))
    return content


@pytest.fixture(scope="session")
def case_of(published: dict[str, Any]) -> Callable[[str], Case]:
    return lambda name: Case(name, published["cases"][name])
