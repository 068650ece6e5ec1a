from typing import Any

import pytest

from specs.errors import SpecError
from specs.hf_config import sizes_of

TINY: dict[str, Any] = {
    "model_type": "llama",
    "hidden_size": 8,
    "intermediate_size": 20,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "vocab_size": 100,
}
GPT2: dict[str, Any] = {
    "model_type": "gpt2",
    "n_embd": 8,
    "n_layer": 3,
    "n_head": 4,
    "vocab_size": 100,
}


def test_a_config_without_options_is_dense_with_multi_head_attention() -> None:
    assert sizes_of(TINY, "tiny") == {
        "family": "llama",
        "hidden_size": 8,
        "intermediate_size": 20,
        "layers": 3,
        "attention_heads": 4,
        "kv_heads": 4,
        "head_dim": 2,
        "vocabulary_size": 100,
        "tied_embeddings": False,
        "experts": 1,
        "experts_per_token": 1,
        "qkv_biases": False,
        "output_biases": False,
        "feed_forward_biases": False,
        "max_context_tokens": 4096,
    }


def test_gpt2_has_keys_tables_and_biases_of_its_own() -> None:
    assert sizes_of(GPT2, "gpt2") == {
        "family": "gpt2",
        "hidden_size": 8,
        "intermediate_size": 4 * 8,
        "layers": 3,
        "attention_heads": 4,
        "kv_heads": 4,
        "head_dim": 2,
        "vocabulary_size": 100,
        "tied_embeddings": True,
        "experts": 1,
        "experts_per_token": 1,
        "qkv_biases": True,
        "output_biases": True,
        "feed_forward_biases": True,
        "max_context_tokens": 1024,
        "position_rows": 1024,
    }


@pytest.mark.parametrize(
    ("key", "value", "field"),
    [
        ("num_key_value_heads", 2, "kv_heads"),
        ("head_dim", 16, "head_dim"),
        ("num_local_experts", 8, "experts"),
        ("num_experts_per_tok", 3, "experts_per_token"),
        ("max_position_embeddings", 512, "max_context_tokens"),
        ("tie_word_embeddings", True, "tied_embeddings"),
        ("mlp_bias", True, "feed_forward_biases"),
    ],
)
def test_an_optional_key_changes_one_size(key: str, value: object, field: str) -> None:
    plain = sizes_of(TINY, "tiny")
    changed = sizes_of(TINY | {key: value}, "tiny")
    assert {name for name in plain if changed[name] != plain[name]} == {field}
    assert changed[field] == value


def test_a_position_table_may_have_rows_that_no_token_uses() -> None:
    roberta = sizes_of(
        TINY | {"model_type": "roberta", "max_position_embeddings": 514}, "tiny"
    )
    assert (roberta["position_rows"], roberta["max_context_tokens"]) == (514, 512)
    assert roberta["token_types"] == 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({}, r"^tiny: key 'model_type' is missing"),
        ({"model_type": "lama"}, r"^tiny: model_type 'lama' .* did you mean 'llama'"),
        ({"model_type": "llama"}, r"^tiny: a llama configuration needs hidden_size, "),
        (TINY | {"head_dim": 0}, r"^tiny: head_dim = 0: must be a whole number above"),
        (TINY | {"mlp_bias": 1}, r"^tiny: mlp_bias = 1: must be true or false"),
    ],
)
def test_a_refusal_names_the_file_and_the_key(
    content: dict[str, Any], message: str
) -> None:
    with pytest.raises(SpecError, match=message):
        sizes_of(content, "tiny")
