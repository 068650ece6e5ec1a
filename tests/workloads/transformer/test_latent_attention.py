from collections.abc import Callable
from math import log

import pytest

from specs.graph import Role
from specs.model import ModelSpec
from specs.numerical_settings import NumericalSettings, RopeScaling
from workloads.attributes import AttentionAttributes, NormAttributes
from workloads.operator_graph import Block
from workloads.operators import Function, TokenRows
from workloads.transformer.block_builder import Transformer
from workloads.transformer.latent_attention import latent_attention, latent_scale

AT = "layers.{layer}.attention."
ROWS = TokenRows(batch=2, context=5, query_tokens=3, answer_tokens=1)
Latent = Callable[..., ModelSpec]


def block_of(model: ModelSpec) -> Block:
    norm = NormAttributes(epsilon=0.5)
    transformer = Transformer(model=model, formats=None, rows=ROWS, norm=norm)
    assert model.latent is not None
    return latent_attention(transformer, model.latent)


def sizes(block: Block, role: Role) -> dict[str, tuple[int, int]]:
    return {
        each.name.removeprefix(AT): (each.rows, each.columns)
        for each in block.tensors
        if each.role is role
    }


def test_weights_are_those_of_the_latents_and_of_heads(latent_model: Latent) -> None:
    block = block_of(latent_model())
    assert sizes(block, Role.WEIGHTS) == {
        "norm.weight": (1, 64),
        "query_down.weight": (11, 64),
        "latent_down.weight": (10 + 4, 64),
        "latent_norm.weight": (1, 10),
        "query_norm.weight": (1, 11),
        "query_up.weight": (4 * 10, 11),
        "key_value_up.weight": (4 * (6 + 5), 10),
        "output.weight": (64, 4 * 5),
    }
    assert block.layers == (0, 1)


def test_the_cache_is_one_latent_with_its_key_for_each_position(
    latent_model: Latent,
) -> None:
    assert sizes(block_of(latent_model()), Role.STATE) == {
        "latent_cache": (2 * 5, 10 + 4)
    }


def test_queries_without_a_latent_are_made_of_the_residual_stream(
    latent_model: Latent,
) -> None:
    block = block_of(latent_model(query_rank=None))
    weights = sizes(block, Role.WEIGHTS)
    assert weights["query.weight"] == (4 * 10, 64)
    assert "query_norm.weight" not in weights
    products = [o.name for o in block.operators if o.function is Function.PRODUCT]
    assert products == [f"{AT}latents", f"{AT}output_product"]


def test_scores_and_values_read_the_latents(latent_model: Latent) -> None:
    block = block_of(latent_model())
    for function, first in ((Function.SCORES, "queries"), (Function.VALUES, "weights")):
        operator = next(each for each in block.operators if each.function is function)
        names = (first, "latent", "key_value_up.weight", "latent_cache")
        assert operator.inputs == tuple(f"{AT}{name}" for name in names)
        attributes = operator.attributes_as(AttentionAttributes)
        assert attributes.latent == latent_model().latent
        assert attributes.scale == pytest.approx(10**-0.5)


@pytest.mark.parametrize(
    ("fields", "growth"),
    [
        ({"kind": "yarn", "factor": 40, "magnitude_of_all": 1.0}, 0.1 * log(40) + 1),
        ({"kind": "yarn", "factor": 40}, 1.0),
        ({"kind": "yarn", "factor": 0.5, "magnitude_of_all": 1.0}, 1.0),
    ],
)
def test_scores_grow_with_an_extended_context(
    fields: dict[str, object], growth: float, latent_model: Latent
) -> None:
    scaling = RopeScaling.model_validate(fields)
    latent = latent_model().latent
    assert latent is not None
    scale = latent_scale(latent, NumericalSettings(rope_scaling=scaling))
    # Queries and keys grow, each by as much.
    assert scale == pytest.approx(10**-0.5 * growth**2)
