from typing import Any

import pytest

from specs.formats import Format
from specs.model_formats import WeightGroup
from specs.quantization_methods import METHODS
from specs.quantization_rules import QuantizationError, is_every_module

NF4 = {"load_in_4bit": True, "bnb_4bit_use_double_quant": True}
GPTQ = {"bits": 4, "group_size": 128, "sym": True, "desc_act": False}


def compressed(**weights: object) -> dict[str, Any]:
    return {"config_groups": {"group_0": {"targets": ["Linear"], "weights": weights}}}


def stored(method: str, table: dict[str, Any]) -> str:
    (rule,) = METHODS[method](table).targets
    targets, own = rule
    assert is_every_module(targets)
    return str(own)


@pytest.mark.parametrize(
    ("method", "table", "name"),
    [
        ("awq", {"bits": 4, "group_size": 64}, "int4:64:zero"),
        ("awq", {"bits": 4, "group_size": 64, "zero_point": False}, "int4:64"),
        ("gptq", GPTQ, "int4:128"),
        ("gptq", GPTQ | {"sym": False}, "int4:128:zero"),
        ("gptq", GPTQ | {"bits": 8, "group_size": -1, "desc_act": True}, "int8:row"),
        ("fp8", {"activation_scheme": "static"}, "fp8:tensor"),
        ("fp8", {"weight_block_size": [128, 64]}, "fp8:128x64"),
        ("mxfp4", {}, "mxfp4"),
        ("fbgemm_fp8", {"activation_scale_ub": 1200.0}, "fp8:row:fp32"),
        ("bitsandbytes", {"load_in_8bit": True}, "int8:row:fp32"),
        ("bitsandbytes", {"load_in_4bit": True}, "fp4:64:fp32"),
        ("bitsandbytes", NF4 | {"bnb_4bit_quant_type": "nf4"}, "fp4:64:double"),
        ("modelopt", compressed(num_bits=4, type="float", group_size=16), "nvfp4"),
    ],
)
def test_a_method_states_a_format(
    method: str, table: dict[str, Any], name: str
) -> None:
    assert stored(method, table) == name


@pytest.mark.parametrize(
    ("weights", "name"),
    [
        ({"type": "int", "strategy": "group", "group_size": 32}, "int4:32"),
        ({"strategy": "group", "group_size": 8, "symmetric": False}, "int4:8:zero"),
        ({"type": "float", "strategy": "tensor_group", "group_size": 16}, "nvfp4"),
        ({"type": "float", "strategy": "group", "group_size": 32}, "mxfp4"),
        ({"num_bits": 8, "type": "float", "group_size": 32}, "mxfp8"),
        ({"num_bits": 8, "type": "float", "strategy": "channel"}, "fp8:row"),
        ({"num_bits": 8, "type": "float", "strategy": "tensor"}, "fp8:tensor"),
        (
            {"num_bits": 8, "strategy": "block", "block_structure": "128x64"},
            "int8:128x64",
        ),
    ],
)
def test_compressed_tensors_state_a_strategy(
    weights: dict[str, Any], name: str
) -> None:
    assert stored("compressed-tensors", compressed(**{"num_bits": 4} | weights)) == name


def test_weights_of_a_group_that_keeps_them_are_not_quantised() -> None:
    table = {"config_groups": {"group_0": {"targets": ["Linear"], "weights": None}}}
    assert METHODS["compressed-tensors"](table).targets == ()


def test_a_list_of_bitsandbytes_takes_the_place_of_the_one_with_the_head() -> None:
    plain = METHODS["bitsandbytes"](NF4)
    listed = METHODS["bitsandbytes"](NF4 | {"llm_int8_skip_modules": ["q_proj"]})
    assert WeightGroup.HEAD not in plain.groups
    assert WeightGroup.HEAD in listed.groups
    assert listed.skips == ("q_proj",)


def test_gptq_changes_or_leaves_out_modules_one_by_one() -> None:
    dynamic = {"-:.*self_attn": {}, "+:.*mlp": {"bits": 8, "group_size": 32}}
    rules = METHODS["gptq"](GPTQ | {"dynamic": dynamic})
    assert [(names, own and str(own)) for names, own in rules.targets] == [
        (("re:.*self_attn",), None),
        (("re:.*mlp",), "int8:32"),
        (("Linear",), "int4:128"),
    ]


def test_a_head_is_quantised_if_a_method_says_so() -> None:
    assert WeightGroup.HEAD not in METHODS["gptq"](GPTQ).groups
    assert WeightGroup.HEAD in METHODS["gptq"](GPTQ | {"lm_head": True}).groups


def test_a_cache_has_a_format_of_its_own() -> None:
    table = compressed(num_bits=8, type="float", strategy="channel")
    scheme = {"num_bits": 8, "type": "int"}
    rules = METHODS["compressed-tensors"](table | {"kv_cache_scheme": scheme})
    assert rules.kv_cache is Format.INT8


@pytest.mark.parametrize(
    ("method", "table", "message"),
    [
        ("gptq", GPTQ | {"desc_act": True}, r"^desc_act = True: groups of inputs"),
        ("gptq", GPTQ | {"dynamic": {"a": 1}}, r"^dynamic\.a = 1: must be a table"),
        (
            "gptq",
            GPTQ | {"dynamic": {"+:a": {"bits": 3}}},
            r"^dynamic\.\+:a\.bits = 3: weights of 4 or 8 bits",
        ),
        (
            "gptq",
            GPTQ | {"dynamic": {"a": {"rank": 8}}},
            r"^dynamic\.a\.rank is not understood",
        ),
        (
            "bitsandbytes",
            {"load_in_8bit": True, "llm_int8_has_fp16_weight": True},
            r"^llm_int8_has_fp16_weight = True: weights are not stored in INT8",
        ),
        (
            "bitsandbytes",
            {"load_in_4bit": True, "bnb_4bit_quant_type": "af4"},
            r"^bnb_4bit_quant_type = 'af4': must be nf4 or fp4",
        ),
        (
            "bitsandbytes",
            {"load_in_4bit": True, "load_in_8bit": True},
            r"one of it and load_in_8bit must be true",
        ),
        (
            "gptq",
            GPTQ | {"modules_in_block_to_quantize": [["mlp"]]},
            r"layers in part are not modelled",
        ),
        (
            "compressed-tensors",
            compressed(num_bits=4, strategy="group", group_size=32, actorder="group"),
            r"^config_groups\.group_0\.weights\.actorder = 'group'",
        ),
        (
            "compressed-tensors",
            compressed(num_bits=4, type="float", group_size=64),
            r"groups of FP4 have 16 or 32 inputs",
        ),
        (
            "compressed-tensors",
            compressed(num_bits=4, strategy="token"),
            r"strategy = 'token': must be tensor, channel",
        ),
        ("compressed-tensors", compressed(num_bits=6), r"weights of 4 or 8 bits"),
        ("compressed-tensors", compressed(num_bits=8, type="nf"), r"int or float"),
        ("compressed-tensors", compressed(num_bits="4"), r"must be a whole number"),
        (
            "compressed-tensors",
            compressed(num_bits=8) | {"sparsity_config": {"format": "dense"}},
            r"^sparsity_config is not understood",
        ),
        ("compressed-tensors", {"config_groups": [1]}, r"must be a table"),
    ],
)
def test_a_key_that_changes_what_is_stored_is_refused(
    method: str, table: dict[str, Any], message: str
) -> None:
    with pytest.raises(QuantizationError, match=message):
        METHODS[method](table)
