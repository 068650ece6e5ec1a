import pytest

from sharding.weights.tensor_names import names_of
from specs.families.catalogue import FAMILIES
from specs.families.tensor_names import TensorNames


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_every_family_names_its_projections_and_tables(family: str) -> None:
    names, structure = names_of(family, experts=1), FAMILIES[family]
    assert isinstance(names, TensorNames)
    for projection in (names.query, names.key, names.value, names.output, names.down):
        assert "{layer}" in projection
    assert bool(names.positions) == structure.learned_positions
    assert bool(names.token_types) == structure.encoder


def test_experts_have_names_of_their_own_and_share_the_router() -> None:
    names = names_of("mixtral", experts=8)
    assert names.down.format(layer=3, expert=5) == (
        "model.layers.3.block_sparse_moe.experts.5.w2"
    )
    assert "{expert}" not in names.router
    assert names_of("mixtral", experts=1) == names_of("llama", experts=1)


def test_fused_projections_have_one_name() -> None:
    names = names_of("phi3", experts=1)
    assert names.query == names.key == names.value
    assert names.gate == names.up != names.down


def test_an_encoder_normalises_with_the_norm_behind_the_layer_before() -> None:
    names = names_of("bert", experts=1)
    assert names.norm_before_attention(0) == "embeddings.LayerNorm"
    assert names.norm_before_attention(2) == "encoder.layer.1.output.LayerNorm"
    assert names.norm_before_head(12) == "encoder.layer.11.output.LayerNorm"


def test_a_decoder_normalises_with_the_norm_of_the_same_layer() -> None:
    names = names_of("llama", experts=1)
    assert names.norm_before_attention(2) == "model.layers.2.input_layernorm"
    assert names.norm_before_head(32) == "model.norm"
