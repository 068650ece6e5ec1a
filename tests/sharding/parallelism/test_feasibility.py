from collections.abc import Callable

import pytest

from sharding.parallelism.feasibility import (
    check_mirrors,
    check_model,
    check_positions,
)
from sharding.parallelism.strategy import parse_strategy
from specs.errors import PlanError
from specs.model import ModelSpec, load_model


@pytest.mark.parametrize(
    ("model", "text", "message"),
    [
        (
            "gpt2",
            "tensor=769,pipeline=1",
            r"wider than the hidden size 768 .*tensor=768",
        ),
        ("llama-2-7b", "tensor=8,expert=2", r"llama-2-7b has none; leave it out$"),
        (
            "llama-2-7b",
            "tensor=8,routing=all",
            r"routing=all is about experts, and llama-2-7b has none; leave it out$",
        ),
        (
            "mixtral-8x7b",
            "tensor=12,expert=3",
            r"expert=3 does not divide the 8 experts .* use expert=2 or 4$",
        ),
        (
            "olmo2-7b",
            "tensor=8,layout=2d",
            r"olmo2-7b has no norm whose factor may follow; use layout=1d$",
        ),
        ("mixtral-8x7b", "tensor=9,expert=3", r"each group has as many; leave it out$"),
        (
            "mixtral-8x7b",
            "tensor=8,layout=2d",
            r"by all of it; use layout=1d$",
        ),
        (
            "gpt2",
            "tensor=8,layout=2d",
            r"gpt2 subtracts a mean before it; use layout=1d",
        ),
    ],
)
def test_what_a_model_does_not_have_is_refused(
    model: str, text: str, message: str
) -> None:
    with pytest.raises(PlanError, match=message):
        check_model(parse_strategy(text, 1000), load_model(model))


@pytest.mark.parametrize(
    ("model", "text"),
    [
        ("mixtral-8x7b", "tensor=8,expert=8,routing=balanced,attention=2"),
        ("llama-2-70b", "tensor=72,layout=2d,attention=8"),
    ],
)
def test_what_a_model_has_may_be_split(model: str, text: str) -> None:
    check_model(parse_strategy(text, 1000), load_model(model))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tensor=8", r"8 chips share .* has 4 heads, .* use attention=4 or tensor=4"),
        ("tensor=6", r"6 chips share .* has 4 heads, .* use attention=3 or tensor=4"),
    ],
)
def test_no_two_chips_share_a_head_of_latent_attention(
    text: str, message: str, latent_model: Callable[..., ModelSpec]
) -> None:
    with pytest.raises(PlanError, match=message):
        check_model(parse_strategy(text, 1000), latent_model())
    check_model(parse_strategy("tensor=8,attention=4", 1000), latent_model())


def test_no_context_is_longer_than_a_table_of_positions() -> None:
    gpt2, llama = load_model("gpt2"), load_model("llama-2-7b")
    check_positions(gpt2, 1024)
    check_positions(llama, 10**6)
    with pytest.raises(PlanError, match=r"context 1025 is .* use --context 1024 or"):
        check_positions(gpt2, 1025)


def test_no_two_chips_share_a_key_head_of_linear_attention(
    linear_model: ModelSpec,
) -> None:
    message = (
        r"^8 chips share the linear attention of linear, which has 4 key heads, and "
        r"none is split; use attention=4 or tensor=4 or less$"
    )
    with pytest.raises(PlanError, match=message):
        check_model(parse_strategy("tensor=8", 1000), linear_model)
    check_model(parse_strategy("tensor=8,attention=4", 1000), linear_model)


def test_states_have_no_mirror(linear_model: ModelSpec) -> None:
    check_mirrors(load_model("llama-2-7b"), mirrored=True)
    check_mirrors(linear_model, mirrored=False)
    with pytest.raises(PlanError, match=r"are not mirrored; use .*kv_cache=recompute$"):
        check_mirrors(linear_model, mirrored=True)
