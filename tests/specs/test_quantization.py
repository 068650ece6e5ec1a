import json
import re
from pathlib import Path
from typing import Any

import pytest

from specs.errors import SpecError
from specs.formats import Format
from specs.model import load_model, model_from_config
from specs.model_formats import ModelFormats, WeightGroup
from specs.quantization import quantization_of

DENSE = {
    "model_type": "llama",
    "hidden_size": 256,
    "intermediate_size": 512,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 100,
    "torch_dtype": "float16",
}
MIXTURE = DENSE | {
    "model_type": "mixtral",
    "num_local_experts": 4,
    "num_experts_per_tok": 2,
}
AWQ = {"quant_method": "awq", "bits": 4, "group_size": 128, "zero_point": True}
FP8 = {"quant_method": "fp8", "fmt": "e4m3", "weight_block_size": [128, 128]}
COMPRESSED = {
    "quant_method": "compressed-tensors",
    "config_groups": {
        "group_0": {
            "targets": ["Linear"],
            "weights": {"num_bits": 4, "type": "int", "strategy": "group",
                        "group_size": 32, "symmetric": True},
        }
    },
    "ignore": ["lm_head"],
}  # fmt: skip


def formats(table: object, base: dict[str, Any] = DENSE) -> ModelFormats:
    model = model_from_config(base | {"quantization_config": table}, name="tiny")
    assert model.formats is not None
    return model.formats


@pytest.mark.parametrize(
    ("name", "parameters"),
    [("qwen2.5-72b-awq", 72_706_203_648), ("qwen3-32b-fp8", 32_762_123_264)],
)
def test_a_quantised_model_has_its_published_parameters(
    name: str, parameters: int
) -> None:
    assert load_model(name).parameters == parameters


def test_a_config_that_says_nothing_leaves_the_formats_to_the_machine() -> None:
    for absent in ({}, {"quantization_config": None}):
        model = model_from_config(DENSE | absent, name="tiny")
        assert (model.formats, model.kv_cache) == (None, None)
        assert quantization_of(DENSE | absent, model, "config") is None


def test_what_is_not_quantised_has_the_dtype_of_the_config() -> None:
    assert str(formats(AWQ).head) == "fp16"
    assert str(formats(AWQ, DENSE | {"dtype": "float32"}).others) == "fp32"
    # As in the published config of gpt-oss.
    assert str(formats(AWQ, DENSE | {"torch_dtype": None}).embedding) == "bf16"
    with pytest.raises(SpecError, match=r"torch_dtype = 'float64': must be one of"):
        formats(AWQ, DENSE | {"torch_dtype": "float64"})


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (["awq"], r"quantization_config = \['awq'\]: must be a table"),
        ({"bits": 4}, r"quant_method = None is not understood; .* awq, bitsandbytes"),
        ({"quant_method": ["awq"]}, r"quant_method = \['awq'\] is not understood"),
        ({"quant_method": "quanto"}, r"'quanto' is not understood"),
        (
            {"quant_method": "bitsandbytes"},
            r"load_in_4bit = None: one of it and load_i",
        ),
        ({"load_in_4bit": True}, r"quant_method = None is not understood"),
        (AWQ | {"bits": 3}, r"config\.bits = 3: weights of 4 bits are understood"),
        (AWQ | {"group_size": 0}, r"group_size = 0: must be a number of inputs"),
        (AWQ | {"zero_point": 1}, r"zero_point = 1: must be true or false"),
        (AWQ | {"rotation": "hadamard"}, r"config\.rotation is not understood"),
        (AWQ | {"modules_to_not_convert": "x"}, r"must be a list of names"),
        (FP8 | {"weight_block_size": [128]}, r"must be the outputs and inputs"),
        (FP8 | {"fmt": "e3m4"}, r"fmt = 'e3m4': must be e4m3 or e5m2"),
        ({"quant_method": "mxfp4"}, r"quant_method quantises nothing of a llama"),
        ({"quant_method": "compressed-tensors"}, r"config_groups = None"),
    ],
)
def test_what_is_not_understood_is_refused_by_its_key(
    table: object, message: str
) -> None:
    with pytest.raises(SpecError, match=message):
        formats(table)


def test_a_key_that_asks_for_nothing_is_let_be() -> None:
    assert formats(AWQ | {"rotation": None, "dynamic": {}}) == formats(AWQ)


def test_a_model_is_loaded_in_the_formats_of_its_file(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(DENSE | {"quantization_config": AWQ}))
    assert load_model(path).formats == formats(AWQ)
    path.write_text(json.dumps(DENSE | {"quantization_config": {"quant_method": 1}}))
    with pytest.raises(SpecError, match=re.escape(f"{path}: quantization_config.")):
        load_model(path)


def test_a_checkpoint_states_the_format_of_its_cache() -> None:
    scheme = {"num_bits": 8, "type": "float", "strategy": "tensor"}
    table = COMPRESSED | {"kv_cache_scheme": scheme}
    model = model_from_config(DENSE | {"quantization_config": table}, name="tiny")
    assert model.kv_cache is Format.FP8
    assert model.in_formats_of(["formats.kv_cache"]).kv_cache is None


def test_only_experts_are_quantised_by_mxfp4() -> None:
    table = {
        "quant_method": "mxfp4",
        "modules_to_not_convert": [
            "model.layers.*.self_attn",
            "model.layers.*.mlp.router",
            "model.embed_tokens",
            "lm_head",
        ],
    }
    stored = formats(table, MIXTURE)
    quantised = {g for g in WeightGroup if str(stored.of(g)) == "mxfp4"}
    assert quantised == {WeightGroup.EXPERTS}
