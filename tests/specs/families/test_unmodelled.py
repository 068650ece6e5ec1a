from typing import Any

import pytest

from specs.errors import SpecError
from specs.families.catalogue import FAMILIES
from specs.families.unmodelled import UNMODELLED, nearest_family, unmodelled_of
from specs.model import model_from_config

LLAMA_LIKE: dict[str, Any] = {
    "hidden_size": 8,
    "intermediate_size": 20,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 100,
    "hidden_act": "silu",
    "rms_norm_eps": 1e-6,
    "rope_theta": 10_000.0,
    "attention_bias": False,
    "mlp_bias": False,
    "max_position_embeddings": 64,
    "tie_word_embeddings": False,
}


def test_only_what_a_config_asks_for_is_missing() -> None:
    asked = {"state_size": 16, "kv_lora_rank": 512, "decoder_layers": None}
    assert unmodelled_of(asked) == ["latent attention", "state-space layers"]
    empty: tuple[Any, ...] = (False, None, 0, "", [], {})
    for nothing in empty:
        assert unmodelled_of(dict.fromkeys(UNMODELLED, nothing)) == []


def test_no_family_needs_what_is_not_modelled() -> None:
    assert not set(UNMODELLED) & set(FAMILIES)


def test_the_nearest_family_has_the_same_keys_whatever_its_name_is() -> None:
    assert nearest_family(LLAMA_LIKE) == "llama"
    experts = {"num_local_experts": 8, "num_experts_per_tok": 2}
    assert nearest_family(FAMILIES["mixtral"].defaults) == "mixtral"
    assert nearest_family(dict(FAMILIES["mistral"].defaults) | experts) == "mixtral"
    tables = {"n_embd": 8, "n_layer": 2, "n_head": 2, "layer_norm_epsilon": 1e-5}
    assert nearest_family(tables) == "gpt2"
    assert nearest_family({"bos_token_id": 3}) is None


def test_only_a_config_with_types_of_tokens_is_like_an_encoder() -> None:
    assert nearest_family(FAMILIES["bert"].defaults) == "bert"
    plain = dict(FAMILIES["bert"].defaults)
    del plain["type_vocab_size"]
    assert nearest_family(plain) not in {"bert", "roberta"}


def test_a_refusal_names_the_relative_by_structure_and_no_list_twice() -> None:
    content = LLAMA_LIKE | {"model_type": "bertha", "state_size": 16, "alibi": False}
    with pytest.raises(SpecError) as caught:
        model_from_config(content, name="new")
    assert str(caught.value) == (
        "config: model_type 'bertha' is not modelled; not modelled of it: state-space "
        "layers; of those that are, 'llama' is the most like it (groqrack models lists "
        "all)"
    )


def test_a_name_is_all_there_is_to_compare_in_an_empty_config() -> None:
    with pytest.raises(SpecError, match=r"'lama' is not modelled; did you mean 'llam"):
        model_from_config({"model_type": "lama"}, name="new")
