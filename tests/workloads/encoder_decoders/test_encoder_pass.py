from collections.abc import Callable

import numpy as np
import pytest

from specs.graph import Role
from tests.workloads.encoder_decoders.conftest import TOLERANCE, Case
from tests.workloads.encoder_decoders.make_transformers_values import CASES, GIVEN

CaseOf = Callable[[str], Case]


@pytest.mark.parametrize("name", CASES)
def test_states_of_the_encoder_are_those_of_transformers(
    name: str, case_of: CaseOf
) -> None:
    case = case_of(name)
    expected = np.reshape(case.expected["states"], (2 * len(GIVEN[0]), -1))
    assert case.encoded()["encoder.states"] == pytest.approx(expected, abs=TOLERANCE)


def test_results_are_the_keys_and_values_of_each_layer_of_the_decoder(
    case_of: CaseOf,
) -> None:
    encoder = case_of("whisper").passed("encoder")
    results = {
        tensor.name: (tensor.matrices, tensor.rows, tensor.columns)
        for tensor in encoder.graph.tensors
        if tensor.role is Role.OUTPUT
    }
    # Three layers with 4 heads of 3 elements, of 9 positions.
    assert len(results) == 2 * 3
    assert results["cross.layers.2.keys"] == (4, 3, 9)
    assert results["cross.layers.2.values"] == (4, 9, 3)


def test_fewer_positions_take_the_first_rows_of_the_table(case_of: CaseOf) -> None:
    encoder = case_of("whisper").passed("encoder", positions=4)
    features = np.ones((2 * 8, 6))
    found = encoder.evaluated({"encoder.features": features})
    table = encoder.weights["model.encoder.embed_positions.weight"]
    assert found["encoder.positions"] == pytest.approx(np.tile(table[:4], (2, 1)))
