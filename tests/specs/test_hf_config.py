from typing import Any

import pytest

from specs.errors import SpecError
from specs.hf_config import sizes_of
from specs.model import model_from_config

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
        "head_biases": False,
        "plain_head_norms": False,
        "block_order": "sequential",
        "alibi": False,
        "max_context_tokens": 2048,
        "remarks": (),
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
        "head_biases": False,
        "plain_head_norms": False,
        "block_order": "sequential",
        "alibi": False,
        "max_context_tokens": 1024,
        "position_rows": 1024,
        "remarks": (),
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


MISTRAL: dict[str, Any] = {
    "model_type": "mistral",
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "sliding_window": 4096,
    "vocab_size": 32000,
}
MIXTRAL = MISTRAL | {
    "model_type": "mixtral",
    "num_local_experts": 8,
    "num_experts_per_tok": 2,
    "sliding_window": None,
}
QWEN3: dict[str, Any] = {
    "model_type": "qwen3",
    "hidden_size": 1024,
    "intermediate_size": 3072,
    "num_hidden_layers": 28,
    "num_attention_heads": 16,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "tie_word_embeddings": True,
    "vocab_size": 151936,
}
GEMMA2: dict[str, Any] = {
    "model_type": "gemma2",
    "hidden_size": 2304,
    "intermediate_size": 9216,
    "num_hidden_layers": 26,
    "num_attention_heads": 8,
    "num_key_value_heads": 4,
    "head_dim": 256,
    "sliding_window": 4096,
    "vocab_size": 256000,
}


@pytest.mark.parametrize(
    ("config", "left_out", "parameters"),
    [
        (GEMMA2, "num_key_value_heads", 2_614_341_888),
        (GEMMA2, "head_dim", 2_614_341_888),
        (MISTRAL, "num_key_value_heads", 7_241_732_096),
        (MISTRAL, "sliding_window", 7_241_732_096),
        (MIXTRAL, "num_local_experts", 46_702_792_704),
        (MIXTRAL, "num_experts_per_tok", 46_702_792_704),
        (QWEN3, "head_dim", 596_049_920),
    ],
)
def test_a_key_that_is_left_out_has_the_value_of_its_class_and_that_is_said(
    config: dict[str, Any], left_out: str, parameters: int
) -> None:
    whole = model_from_config(config, name="whole")
    content = {key: value for key, value in config.items() if key != left_out}
    model = model_from_config(content, name="whole")
    assert model.model_dump() == whole.model_dump()
    assert model.parameters == parameters
    assert whole.remarks == ()
    (remark,) = model.remarks
    assert f"not in the config: {left_out} = {config[left_out]}" in remark


def test_the_text_part_of_a_multimodal_model_is_used_and_that_is_said() -> None:
    content = {"model_type": "mistral3", "text_config": MISTRAL, "vision_config": {}}
    model = model_from_config(content, name="seeing")
    assert model.parameters == 7_241_732_096
    assert model.remarks == ("the text part of a multimodal mistral3 model",)


@pytest.mark.parametrize(
    ("key", "written"),
    [
        ("num_hidden_layers", "num_hidden_layer"),
        ("num_key_value_heads", "num_key_value_head"),
        ("vocab_size", "vocabsize"),
        ("head_dim", "heads_dim"),
    ],
)
def test_a_misspelt_key_is_no_missing_one(key: str, written: str) -> None:
    content = {name: value for name, value in QWEN3.items() if name != key}
    with pytest.raises(
        SpecError, match=rf"tiny: a qwen3 .* no key '{written}'; did you mean '{key}'"
    ):
        sizes_of(content | {written: 4}, "tiny")


@pytest.mark.parametrize(
    ("kinds", "message"),
    [
        (["full_attention"], r"layer_types must list the kind of each of 28 layers"),
        (["linear_attention"] * 28, r"layer_types has 'linear_attention', which is"),
        ([["full_attention"]] * 28, r"layer_types has \['full_attention'\], which is"),
    ],
)
def test_layers_of_a_kind_that_is_not_modelled_are_refused(
    kinds: list[Any], message: str
) -> None:
    with pytest.raises(SpecError, match=message):
        sizes_of(QWEN3 | {"layer_types": kinds}, "tiny")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({}, r"^tiny: key 'model_type' is missing"),
        ({"model_type": "lama"}, r"^tiny: model_type 'lama' .* did you mean 'llama'"),
        ({"model_type": "llama"}, r"^tiny: a llama configuration needs hidden_size, "),
        ({"model_type": ["llama"]}, r"^tiny: model_type = \['llama'\]: must be a word"),
        (TINY | {"head_dim": 0}, r"^tiny: head_dim = 0: must be a whole number above"),
        (TINY | {"mlp_bias": 1}, r"^tiny: mlp_bias = 1: must be true or false"),
    ],
)
def test_a_refusal_names_the_file_and_the_key(
    content: dict[str, Any], message: str
) -> None:
    with pytest.raises(SpecError, match=message):
        sizes_of(content, "tiny")


@pytest.mark.parametrize(
    ("family", "key", "value", "wanted"),
    [
        ("opt", "do_layer_norm_before", False, "True"),
        ("opt", "word_embed_proj_dim", 4, "8"),
        ("stablelm", "qk_layernorm", True, "False"),
        ("smollm3", "use_sliding_window", True, "False"),
    ],
)
def test_what_a_family_lacks_is_refused_by_its_key(
    family: str, key: str, value: object, wanted: str
) -> None:
    asking = TINY | {"model_type": family, "num_key_value_heads": 4, key: value}
    with pytest.raises(
        SpecError, match=rf"tiny: {key} = {value} of {family} is not .* only {wanted}"
    ):
        sizes_of(asking, "tiny")
    # What asks for nothing is no matter.
    assert sizes_of(asking | {key: None}, "tiny")["family"] == family


def test_opt_has_two_rows_of_positions_that_its_config_does_not_count() -> None:
    opt = sizes_of(TINY | {"model_type": "opt", "ffn_dim": 20}, "tiny")
    assert (opt["position_rows"], opt["max_context_tokens"]) == (2050, 2048)
