import pytest

from specs.errors import SpecError
from specs.latent_attention import LatentAttention
from specs.model import ModelSpec
from specs.validation import build

# Those of DeepSeek-V3.
SIZES = {"kv_rank": 512, "rotary_dim": 64, "plain_dim": 128, "value_dim": 128}
LATENT = LatentAttention(query_rank=1536, **SIZES)
MODEL = {
    "name": "latent",
    "family": "llama",
    "hidden_size": 7168,
    "intermediate_size": 1,
    "layers": 1,
    "attention_heads": 128,
    "kv_heads": 128,
    "head_dim": 192,
    "vocabulary_size": 1,
    "tied_embeddings": False,
    "experts": 1,
    "experts_per_token": 1,
    "max_context_tokens": 1,
    "latent": LATENT,
}


def test_a_head_has_plain_and_rotated_elements() -> None:
    assert LATENT.head_dim == 128 + 64
    assert LATENT.cached_size == 512 + 64
    assert LATENT.expanded_dim == 128 + 128


def test_weights_are_those_of_the_published_projections() -> None:
    down = 7168 * (1536 + 512 + 64)
    up = 128 * (1536 * 192 + 512 * 256)
    assert LATENT.weights(7168, 128) == down + up + 7168 * 128 * 128
    assert LATENT.norm_weights == 1536 + 512


def test_queries_without_a_latent_are_projected_at_once() -> None:
    lite = LatentAttention(query_rank=None, **SIZES)
    # DeepSeek-V2-Lite.
    query, down, up, out = 2048 * 3072, 2048 * 576, 512 * 16 * 256, 2048 * 2048
    assert lite.weights(2048, 16) == query + down + up + out
    assert lite.norm_weights == 512


def test_a_model_counts_the_latents_and_caches_them_once_for_all_heads() -> None:
    model = build(ModelSpec, MODEL, "test")
    # Of one layer, as in the published checkpoint.
    assert model.attention_parameters == 187_105_280
    assert model.attention_vector_parameters == 2048
    assert model.cached_size == 576
    assert model.context_size == 128 * 128


@pytest.mark.parametrize("changes", [{"kv_heads": 64}, {"head_dim": 128}])
def test_heads_that_do_not_fit_their_latents_are_refused(
    changes: dict[str, int],
) -> None:
    with pytest.raises(SpecError, match="has a key for each of 128 heads of 192"):
        build(ModelSpec, MODEL | changes, "test")


def test_an_odd_number_of_elements_is_not_rotated() -> None:
    with pytest.raises(SpecError, match="rotary_dim"):
        build(LatentAttention, SIZES | {"rotary_dim": 3}, "test")
