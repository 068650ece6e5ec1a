from typing import Any

import pytest

from specs.config_values import Config
from specs.errors import SpecError
from specs.families.catalogue import load_family
from specs.linear_config import linear_sizes
from specs.model import model_from_config

CONFIG: dict[str, Any] = {
    "model_type": "qwen3_5_text",
    "hidden_size": 16,
    "num_hidden_layers": 6,
}


def read(family: str = "qwen3_5_text", layers: int = 6, **keys: Any) -> dict[str, Any]:
    return linear_sizes(Config(keys, load_family(family), "config"), layers)


def test_sizes_are_those_of_the_class_where_the_config_is_silent() -> None:
    found = read(linear_num_value_heads=48)
    assert found["linear"] == {
        "key_heads": 16,
        "value_heads": 48,
        "key_dim": 128,
        "value_dim": 128,
        "kernel": 4,
    }
    assert found["linear_layers"] == (0, 1, 2, 4, 5)


def test_layers_are_every_so_many_or_listed() -> None:
    assert read(full_attention_interval=2)["linear_layers"] == (0, 2, 4)
    kinds = ["full_attention", "linear_attention", "full_attention"]
    assert read(layers=3, layer_types=kinds)["linear_layers"] == (1,)


def test_families_and_configs_without_such_layers_have_no_sizes() -> None:
    assert read("qwen3") == {}
    assert read(layers=1, layer_types=["full_attention"]) == {}


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"layer_types": ["full_attention"]}, "layer_types must list the kind of each"),
        (
            {"layer_types": ["sliding_attention"] * 6},
            "has 'sliding_attention', which is not modelled; only linear_attention and",
        ),
        ({"linear_key_head_dim": 0}, "linear_key_head_dim = 0: must be a whole number"),
        ({"linear_num_key_heads": 5}, "32 value heads cannot share 5 key heads"),
        ({"attention_bias": True}, "attention_bias = True of qwen3_5_text is not"),
    ],
)
def test_a_wrong_key_is_refused_by_its_name(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        model_from_config(CONFIG | keys, name="wrong")


def test_the_text_of_a_multimodal_config_is_read() -> None:
    inner = {key: CONFIG[key] for key in ("hidden_size", "num_hidden_layers")}
    nested = {"model_type": "qwen3_5", "text_config": inner}
    model = model_from_config(nested, name="nested")
    assert model.model_dump() == model_from_config(CONFIG, name="nested").model_dump()
    assert model.remarks[0] == "the text part of a multimodal qwen3_5 model"
