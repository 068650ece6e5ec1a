import json
from pathlib import Path
from typing import Any

import pytest

from specs.encoder_decoders.family import (
    encoder_decoder_families,
    load_encoder_decoder_family,
)
from specs.encoder_decoders.reading import (
    encoder_decoder_from_config,
    encoder_decoder_names,
    is_encoder_decoder,
    load_encoder_decoder,
)
from specs.errors import SpecError
from specs.model import load_model
from specs.vector_functions import VectorFunction

FLAN_BASE: dict[str, Any] = {
    "model_type": "t5",
    "d_model": 768,
    "d_ff": 2048,
    "num_layers": 12,
    "num_heads": 12,
    "vocab_size": 32_128,
    "feed_forward_proj": "gated-gelu",
    "tie_word_embeddings": False,
}
TINY_WHISPER: dict[str, Any] = {
    "model_type": "whisper",
    "d_model": 384,
    "decoder_attention_heads": 6,
    "decoder_ffn_dim": 1536,
    "decoder_layers": 4,
    "encoder_attention_heads": 6,
    "encoder_ffn_dim": 1536,
    "encoder_layers": 4,
    "vocab_size": 51_865,
}


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("t5-small", 60_506_624),
        ("t5-base", 222_903_552),
        ("whisper-large-v3", 1_543_490_560),
    ],
)
def test_shipped_models_have_their_published_parameters(
    name: str, parameters: int
) -> None:
    model = load_encoder_decoder(name)
    assert model is not None
    assert model.parameters == model.active_parameters == parameters
    assert name in encoder_decoder_names()


def test_sizes_and_defaults_of_other_configs_give_their_published_parameters() -> None:
    flan = encoder_decoder_from_config(FLAN_BASE, "flan-t5-base")
    # A head of its own, and feed-forwards with gates.
    assert flan.parameters == 247_577_856
    assert (flan.gated, flan.activation) == (True, VectorFunction.GELU_TANH)
    assert flan.decoder_layers == 12
    tiny = encoder_decoder_from_config(TINY_WHISPER, "whisper-tiny")
    assert tiny.parameters == 37_760_640
    assert "max_source_positions = 1500" in tiny.remarks[0]


def test_a_token_reads_cross_keys_and_values_of_all_layers() -> None:
    tiny = encoder_decoder_from_config(TINY_WHISPER, "whisper-tiny")
    assert tiny.kv_elements == 2 * 4 * 384
    assert tiny.cross_elements == 1500 * tiny.kv_elements
    assert tiny.head_size(6) == 64


def test_a_type_of_another_kind_is_no_encoder_decoder(tmp_path: Path) -> None:
    assert encoder_decoder_families() == ("t5", "whisper")
    assert not is_encoder_decoder({"model_type": "llama"})
    assert load_encoder_decoder("gpt2") is None
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"model_type": "gpt2"}), encoding="utf-8")
    assert load_encoder_decoder(path) is None
    path.write_text(json.dumps(FLAN_BASE), encoding="utf-8")
    found = load_encoder_decoder(tmp_path)
    assert found is not None
    assert found.name == tmp_path.name


@pytest.mark.parametrize(
    ("config", "change", "fault"),
    [
        (FLAN_BASE, {"d_model": "768"}, "d_model = '768': must be a whole number"),
        (FLAN_BASE, {"d_model": 0}, "hidden_size = 0: must be greater than 0"),
        (FLAN_BASE, {"num_decoder_layers": 1.5}, "num_decoder_layers = 1.5"),
        (FLAN_BASE, {"feed_forward_proj": "tanh"}, "feed_forward_proj = 'tanh'"),
        (FLAN_BASE, {"tie_word_embeddings": 1}, "must be true or false"),
        (FLAN_BASE, {"relative_attention_num_buckets": 6}, "6 buckets up to distance"),
        (TINY_WHISPER, {"scale_embedding": True}, "scale_embedding = True of whisper"),
        (TINY_WHISPER, {"decoder_attention_heads": 7}, "no multiple of decoder_heads"),
    ],
)
def test_a_config_that_is_not_understood_is_refused(
    config: dict[str, Any], change: dict[str, Any], fault: str
) -> None:
    with pytest.raises(SpecError, match=fault):
        encoder_decoder_from_config({**config, **change}, "mine")


def test_a_size_that_is_missing_is_named() -> None:
    cut = {key: value for key, value in FLAN_BASE.items() if key != "num_heads"}
    with pytest.raises(SpecError, match="a t5 configuration needs num_heads; is the"):
        encoder_decoder_from_config(cut, "mine")


def test_a_family_that_there_is_not_is_refused_with_the_nearest() -> None:
    with pytest.raises(SpecError, match=r"no family 't6' of encoder-decoders.*'t5'"):
        load_encoder_decoder_family("t6")


def test_as_one_model_it_is_refused_with_both_passes(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="use --workload t5-small:encoder and --work"):
        load_model("t5-small")
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(TINY_WHISPER), encoding="utf-8")
    with pytest.raises(SpecError, match=r"mine\.json: whisper is an encoder-decoder"):
        load_model(path)
