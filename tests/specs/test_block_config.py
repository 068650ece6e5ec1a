from typing import Any

import pytest

from specs.block_config import block_order_of, kv_heads_of
from specs.block_order import BlockOrder
from specs.config_values import Config
from specs.errors import SpecError
from specs.families.catalogue import FAMILIES
from specs.model import model_from_config

SIZES = ("hidden_size", "num_hidden_layers", "num_attention_heads", "vocab_size")
# Public configs, shortened to what their class would not say, and the parameters of
# their checkpoints.
PUBLISHED: dict[str, tuple[int, tuple[int, ...], dict[str, Any]]] = {
    "tiiuae/falcon-7b": (6_921_720_704, (4544, 32, 71, 65_024), {}),
    "tiiuae/falcon-40b": (
        41_303_293_952,
        (8192, 60, 128, 65_024),
        {"new_decoder_architecture": True, "num_kv_heads": 8},
    ),
    "EleutherAI/pythia-6.9b": (
        6_857_302_016,
        (4096, 32, 32, 50_432),
        {"intermediate_size": 16_384},
    ),
    "EleutherAI/gpt-neox-20b": (20_554_567_680, (6144, 44, 64, 50_432), {}),
    "EleutherAI/gpt-j-6b": (6_050_882_784, (4096, 28, 16, 50_400), {}),
    "microsoft/phi-2": (
        2_779_683_840,
        (2560, 32, 32, 51_200),
        {"intermediate_size": 10_240, "partial_rotary_factor": 0.4},
    ),
    "CohereForAI/c4ai-command-r-v01": (34_980_831_232, (8192, 40, 64, 256_000), {}),
    "CohereForAI/c4ai-command-r-08-2024": (
        32_296_476_672,
        (8192, 40, 64, 256_000),
        {"intermediate_size": 24_576, "num_key_value_heads": 8},
    ),
    "CohereForAI/c4ai-command-r7b-12-2024": (
        8_028_033_024,
        (4096, 32, 32, 256_000),
        {"intermediate_size": 14_336, "num_key_value_heads": 8},
    ),
}
TYPES = {"falcon": "falcon", "pythia": "gpt_neox", "gpt-neox": "gpt_neox"}
TYPES |= {"gpt-j": "gptj", "phi": "phi", "r7b": "cohere2", "command-r-": "cohere"}


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_public_config_has_as_many_parameters_as_its_checkpoint(name: str) -> None:
    parameters, sizes, others = PUBLISHED[name]
    family = next(kind for part, kind in TYPES.items() if part in name)
    keys = FAMILIES[family].keys
    fields = ("hidden_size", "layers", "attention_heads", "vocabulary_size")
    stated = {
        getattr(keys, field)[0]: size for field, size in zip(fields, sizes, strict=True)
    }
    config = {"model_type": family, **stated, **others}
    assert model_from_config(config, name="public").parameters == parameters


def of(family: str, **keys: Any) -> Config:
    return Config(keys, FAMILIES[family], "tiny")


@pytest.mark.parametrize(
    ("family", "keys", "order"),
    [
        ("llama", {}, BlockOrder.SEQUENTIAL),
        ("cohere", {}, BlockOrder.ONE_NORM),
        ("gpt_neox", {}, BlockOrder.PARALLEL),
        ("gpt_neox", {"use_parallel_residual": False}, BlockOrder.SEQUENTIAL),
        ("stablelm", {}, BlockOrder.SEQUENTIAL),
        ("stablelm", {"use_parallel_residual": True}, BlockOrder.ONE_NORM),
        ("falcon", {}, BlockOrder.ONE_NORM),
        ("falcon", {"parallel_attn": False}, BlockOrder.SEQUENTIAL),
        ("falcon", {"new_decoder_architecture": True}, BlockOrder.PARALLEL),
        (
            "falcon",
            {"new_decoder_architecture": True, "num_ln_in_parallel_attn": 1},
            BlockOrder.ONE_NORM,
        ),
    ],
)
def test_blocks_have_the_order_that_the_config_says(
    family: str, keys: dict[str, Any], order: BlockOrder
) -> None:
    assert block_order_of(of(family, **keys)) is order


def test_blocks_one_behind_the_other_share_no_norm() -> None:
    orders = {order: (order.is_parallel, order.shares_norm) for order in BlockOrder}
    assert list(orders.values()) == [(False, False), (True, False), (True, True)]


@pytest.mark.parametrize(
    ("key", "value"), [("parallel_attn", False), ("num_ln_in_parallel_attn", 3)]
)
def test_a_newer_decoder_of_another_order_is_refused(key: str, value: object) -> None:
    config = of("falcon", new_decoder_architecture=True, **{key: value})
    with pytest.raises(SpecError, match=rf"^tiny: {key} = {value} beside new_decoder"):
        block_order_of(config)


def test_queries_share_one_key_head_unless_the_decoder_is_of_the_newer_kind() -> None:
    assert kv_heads_of(of("falcon", num_kv_heads=4), 8) == 1
    assert kv_heads_of(of("falcon", multi_query=False), 8) == 8
    newer = of("falcon", num_kv_heads=4, new_decoder_architecture=True)
    assert kv_heads_of(newer, 8) == 4
    assert kv_heads_of(of("llama", num_key_value_heads=2), 8) == 2
