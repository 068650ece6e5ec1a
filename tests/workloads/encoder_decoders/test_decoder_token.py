from collections.abc import Callable

import numpy as np
import pytest

from specs.graph import Role
from tests.workloads.encoder_decoders.conftest import TOLERANCE, Case
from tests.workloads.encoder_decoders.make_transformers_values import CASES, TOKENS
from workloads.encoder_decoders.cross_keys import cross_names
from workloads.reference.activations import Array

CaseOf = Callable[[str], Case]


@pytest.mark.parametrize("name", CASES)
def test_tokens_behind_an_input_have_the_logits_of_transformers(
    name: str, case_of: CaseOf
) -> None:
    case = case_of(name)
    cross = case.encoded()
    kept: dict[str, Array] = {}
    for number, tokens in enumerate(np.transpose(TOKENS)):
        token = case.passed("decoder", number + 1)
        values: dict[str, Array] = {"decoder.token": tokens.reshape(-1, 1)}
        if not token.graph.model.structure.relative_positions:
            values["decoder.position"] = np.full((2, 1), number)
        for tensor in token.workload.tensors:
            if tensor.role is not Role.STATE:
                continue
            if tensor.name in cross:
                values[tensor.name] = cross[tensor.name]
                continue
            # The oldest place is left to the token; what is there is not read.
            axis = 2 if tensor.name.endswith("key_cache") else 1
            shape = [tensor.matrices, tensor.rows, tensor.columns]
            shape[axis] = 1
            oldest = np.full(shape, np.nan)
            before = kept.get(tensor.name)
            if before is None:
                whole = oldest
            else:
                shape[axis] = number
                whole = np.concatenate([oldest, before.reshape(shape)], axis=axis)
            values[tensor.name] = whole.reshape(-1, tensor.columns)
        found = token.evaluated(values)
        kept = {
            name: found[f"{name}'"]
            for name in values
            if name.endswith(("key_cache", "value_cache"))
        }
        expected = np.array(case.expected["logits"])[:, number]
        assert found["decoder.logits"] == pytest.approx(expected, abs=TOLERANCE)


def test_a_token_reads_cross_keys_and_values_and_does_not_change_them(
    case_of: CaseOf,
) -> None:
    token = case_of("whisper").passed("decoder", 3)
    made = {name for operator in token.graph.operators for name in operator.makes}
    by_name = {tensor.name: tensor for tensor in token.graph.tensors}
    for layer in range(3):
        for name in cross_names(layer):
            assert by_name[name].role is Role.STATE
            assert name not in made


def test_only_its_own_keys_and_values_are_moved_into_the_cache(
    case_of: CaseOf,
) -> None:
    token = case_of("t5").passed("decoder", 4)
    moved = [
        operator.elements
        for operator in token.graph.operators
        if operator.kind == "vector" and operator.name.endswith("_cache.append")
    ]
    # Two of each of three layers: 4 heads of 5 elements.
    assert moved == [20] * 6
