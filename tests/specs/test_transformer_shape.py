from typing import Any

import pytest

from specs.errors import SpecError
from specs.model import ModelSpec
from specs.transformer_shape import TransformerShape
from specs.validation import build

SIZES: dict[str, Any] = {
    "name": "tiny",
    "family": "llama",
    "hidden_size": 8,
    "intermediate_size": 20,
    "layers": 3,
    "attention_heads": 4,
    "kv_heads": 2,
    "head_dim": 2,
    "vocabulary_size": 100,
    "tied_embeddings": False,
    "experts": 1,
    "experts_per_token": 1,
    "max_context_tokens": 128,
}


def shape(**changes: Any) -> TransformerShape:
    return build(TransformerShape, SIZES | changes, "tiny")


def test_layers_with_a_window_attend_to_its_positions_at_most() -> None:
    tiny = shape(window_tokens=5, windowed_layers=(1,))
    assert [tiny.attended_tokens(layer, 9) for layer in range(3)] == [9, 5, 9]
    assert [tiny.attended_tokens(layer, 3) for layer in range(3)] == [3, 3, 3]
    assert [tiny.layer_like(layer) for layer in range(3)] == [0, 1, 0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kv_heads": 3}, "4 query heads cannot share 3 key/value heads evenly"),
        ({"experts_per_token": 2}, "a token cannot use 2 of 1 experts"),
    ],
)
def test_sizes_that_do_not_divide_are_refused(
    changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(SpecError, match=message):
        shape(**changes)


def test_projections_have_the_width_of_their_heads() -> None:
    tiny = shape()
    assert (tiny.query_size, tiny.kv_size) == (8, 4)


def test_a_model_has_the_sizes_of_its_shape() -> None:
    model = build(ModelSpec, SIZES, "tiny")
    assert model.model_dump() == shape().model_dump()
