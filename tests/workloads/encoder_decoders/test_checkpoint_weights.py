import re
from collections.abc import Callable

import numpy as np
import pytest

from specs.errors import SpecError
from tests.workloads.encoder_decoders.conftest import Case
from tests.workloads.encoder_decoders.make_transformers_values import CASES, drawn
from workloads.encoder_decoders.checkpoint_weights import checkpoint_weights

CaseOf = Callable[[str], Case]


@pytest.mark.parametrize("name", CASES)
def test_both_passes_together_have_all_parameters(name: str, case_of: CaseOf) -> None:
    case = case_of(name)
    shapes = case.expected["shapes"]
    passes = [case.passed("encoder"), case.passed("decoder", 2)]
    model = passes[0].graph.model
    assert model.parameters == sum(int(np.prod(shape)) for shape in shapes.values())
    held = {name for each in passes for name in each.weights}
    tied = {f"{model.structure.decoder.head}.weight"} if model.tied_embeddings else {}
    assert held - set(tied) == set(shapes)


def test_a_tied_head_is_the_table_of_tokens_times_its_factor(case_of: CaseOf) -> None:
    token = case_of("t5").passed("decoder", 2)
    table = drawn("shared.weight", (13, 12))
    assert token.weights["lm_head.weight"] == pytest.approx(table.T / 12**0.5)


def test_queries_have_the_factor_of_the_scores(case_of: CaseOf) -> None:
    token = case_of("whisper").passed("decoder", 2)
    name = "model.decoder.layers.1.encoder_attn.q_proj.bias"
    # Heads of 3 elements.
    expected = drawn(name, (12,)).reshape(4, 3) / 3**0.5
    assert token.weights[name] == pytest.approx(expected)


def test_a_checkpoint_that_lacks_a_tensor_or_has_another_size_is_refused(
    case_of: CaseOf,
) -> None:
    case = case_of("t5")
    graph = case.passed("decoder", 2).graph
    shapes = case.expected["shapes"]
    checkpoint = {name: np.zeros(shape) for name, shape in shapes.items()}
    name = "decoder.block.1.layer.1.EncDecAttention.q.weight"
    wrong = checkpoint | {name: np.zeros((3, 2))}
    with pytest.raises(SpecError, match=r"has 6 elements in the checkpoint, and 240"):
        checkpoint_weights(graph, wrong)
    del checkpoint[name]
    with pytest.raises(SpecError, match=f"has no {re.escape(name)}"):
        checkpoint_weights(graph, checkpoint)
