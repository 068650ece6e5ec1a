from typing import Any

import pytest

from specs.config_values import Config, text_part
from specs.errors import SpecError
from specs.families.catalogue import FAMILIES


def config(family: str, **content: Any) -> Config:
    return Config(content, FAMILIES[family], "mine")


def test_a_key_that_is_left_out_has_the_value_of_its_class() -> None:
    mixtral = config("mixtral")
    assert mixtral.value("experts") == ("num_local_experts", 8)
    assert mixtral.size("experts") == mixtral.default("experts") == 8
    assert not mixtral.states("experts")
    assert config("mixtral", num_local_experts=4).size("experts") == 4


def test_the_first_of_several_keys_counts() -> None:
    both = config("gemma2", hidden_act="relu", hidden_activation="gelu")
    assert both.keys("activation") == ("hidden_activation", "hidden_act")
    assert both.value("activation") == ("hidden_activation", "gelu")
    assert config("gemma2", hidden_act="relu").value("activation")[1] == "relu"


def test_null_is_a_value_where_it_means_something() -> None:
    null = config("mistral", num_key_value_heads=None, sliding_window=None)
    assert null.size("kv_heads", 32, if_null=32) == 32
    assert null.value("window_tokens") == ("sliding_window", None)
    assert config("mistral").size("kv_heads", 32, if_null=32) == 8
    with pytest.raises(SpecError, match=r"mine: hidden_size = None: must be a whole"):
        config("llama", hidden_size=None).size("hidden_size")


def test_a_flag_is_true_or_false() -> None:
    assert config("gemma2").flag("tied_embeddings")
    assert not config("llama").flag("window_used")
    assert config("llama").flag("window_used", otherwise=True)
    with pytest.raises(SpecError, match=r"mine: mlp_bias = 1: must be true or false"):
        config("llama", mlp_bias=1).flag("feed_forward_biases")


def test_the_text_part_of_a_multimodal_config_names_its_type_or_follows_it() -> None:
    inner = {"hidden_size": 8}
    part = text_part({"model_type": "new", "text_config": inner}, "mine")
    assert part == {"model_type": "new_text", "hidden_size": 8}
    named = inner | {"model_type": "mistral"}
    content = {"model_type": "new", "dtype": "bfloat16", "text_config": named}
    assert text_part(content, "mine") == named | {"dtype": "bfloat16"}


def test_the_text_of_an_older_config_lies_beside_its_other_parts() -> None:
    content = {"model_type": "qwen2_5_vl", "hidden_size": 8, "vision_config": {}}
    part = text_part(content, "mine")
    assert part == content | {"model_type": "qwen2_5_vl_text"}
    # Without another part, it is a type of its own.
    del content["vision_config"]
    assert text_part(content, "mine") is content


def test_a_config_of_text_alone_is_its_own_text_part() -> None:
    content = {"model_type": "llama", "text_config": {}}
    assert text_part(content, "mine") is content
    with pytest.raises(SpecError, match=r"mine: text_config = 3: must be a table"):
        text_part({"model_type": "new", "text_config": 3}, "mine")
