from typing import Any

import pytest

from specs.block_config import block_order_of, kv_heads_of
from specs.block_order import BlockOrder
from specs.config_values import Config
from specs.errors import SpecError
from specs.families.catalogue import FAMILIES


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
