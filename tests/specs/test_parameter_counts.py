from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from specs.parameter_counts import CountedTransformer
from specs.validation import build

SIZES: dict[str, Any] = {
    "name": "tiny",
    "family": "llama",
    "hidden_size": 8,
    "intermediate_size": 20,
    "layers": 3,
    "attention_heads": 4,
    "kv_heads": 2,
    "head_dim": 2,
    "vocabulary_size": 100,
    "tied_embeddings": False,
    "experts": 1,
    "experts_per_token": 1,
    "max_context_tokens": 128,
}


def shape(**changes: Any) -> CountedTransformer:
    return build(CountedTransformer, SIZES | changes, "tiny")


def test_projections_count_by_the_width_of_their_heads() -> None:
    tiny = shape()
    # Query and output of 8 x 8; key and value of 8 x 4.
    assert tiny.attention_parameters == 2 * 64 + 2 * 32
    assert tiny.attention_vector_parameters == 0
    assert shape(qkv_biases=True, output_biases=True).attention_vector_parameters == (
        8 + 4 + 4 + 8
    )
    assert shape(family="qwen3").attention_vector_parameters == 2 + 2


def test_a_feed_forward_has_a_gate_in_most_families() -> None:
    assert (shape().projections_in, shape(family="gpt2").projections_in) == (2, 1)
    assert shape().feed_forward_parameters == 3 * 8 * 20
    assert shape(family="gpt2").feed_forward_parameters == 2 * 8 * 20
    assert shape(feed_forward_biases=True).feed_forward_vector_parameters == (
        20 + 20 + 8
    )


def test_a_layer_norm_has_a_bias_beside_its_scale() -> None:
    assert (shape().norm_parameters, shape(family="gpt2").norm_parameters) == (8, 16)


@given(st.integers(1, 5), st.booleans())
def test_parameters_are_those_of_layers_tables_head_and_a_last_norm(
    layers: int, tied: bool
) -> None:
    tiny = shape(layers=layers, tied_embeddings=tied)
    layer = (2 * 64 + 2 * 32) + 3 * 8 * 20 + 2 * 8
    tables = 800 if tied else 1600
    assert tiny.parameters == layers * layer + 8 + tables
    assert tiny.head_parameters == tables - 800
    assert (tiny.head_rows, tiny.embedding_rows) == (100, 100)


def test_a_token_uses_the_experts_that_it_chooses() -> None:
    dense, experts = shape(), shape(family="mixtral", experts=4, experts_per_token=1)
    assert dense.active_parameters == dense.parameters
    # A router of 4 x 8 in each layer is used as well.
    assert experts.active_parameters == dense.parameters + 3 * 4 * 8


def test_a_position_adds_keys_and_values_of_every_layer() -> None:
    assert shape().kv_elements == 3 * 2 * 4
    assert shape(family="bert").kv_elements == 0
