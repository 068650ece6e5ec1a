import json
from pathlib import Path
from typing import Any

import pytest

from specs.errors import SpecError
from specs.model import ModelSpec, load_model, model_from_config, model_names

# Published sizes, in units of 10^9 parameters; docs/families.md names their sources.
PUBLISHED = {
    "bert-base": 0.109482,
    "bert-large": 0.335142,
    "gemma-2-9b": 9.24,
    "deepseek-v3": 671.03,
    "gemma-3-12b": 11.766034,
    "gemma-7b": 8.537681,
    "gpt-oss-120b": 116.83,
    "gpt-oss-20b": 20.91,
    "gpt2": 0.124440,
    "gpt2-xl": 1.557611,
    "granite-3.2-8b": 8.170865,
    "kimi-k2": 1026.41,
    "llama-2-70b": 68.98,
    "llama-2-7b": 6.74,
    "llama-3-70b": 70.55,
    "llama-3-8b": 8.03,
    "llama-3.1-405b": 405.85,
    "llama-3.1-8b": 8.030261,
    "llama-4-scout": 107.77,
    "mistral-7b": 7.24,
    "mistral-small-3.1-24b": 23.572403,
    "mixtral-8x7b": 46.70,
    "olmo2-7b": 7.298617,
    "phi-3-mini": 3.821080,
    "phi-3.5-moe": 41.87,
    "qwen2.5-72b": 72.706204,
    "qwen2.5-72b-awq": 72.706204,
    "qwen2.5-7b": 7.615617,
    # Its text alone, as transformers counts it.
    "qwen3.5-27b": 26.895998,
    "qwen2-57b-a14b": 57.41,
    "qwen3-30b-a3b": 30.53,
    "qwen3-32b": 32.762123,
    "qwen3-32b-fp8": 32.762123,
    "qwen3-8b": 8.190735,
    "roberta-base": 0.124646,
}
# Bytes that the indices of checkpoints in bfloat16 state, two a parameter.
CHECKPOINT_BYTES = {
    "phi-3-mini": 7_642_159_104,
    "qwen2.5-7b": 15_231_233_024,
    "qwen3-8b": 16_381_470_720,
}
TINY: dict[str, Any] = {
    "model_type": "llama",
    "hidden_size": 8,
    "intermediate_size": 20,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "vocab_size": 100,
}


def written(folder: Path, config: dict[str, Any] | str) -> Path:
    path = folder / "config.json"
    path.write_text(config if isinstance(config, str) else json.dumps(config))
    return path


def without(key: str) -> dict[str, Any]:
    return {name: value for name, value in TINY.items() if name != key}


def test_every_shipped_model_has_a_published_size() -> None:
    assert list(model_names()) == sorted(PUBLISHED)


@pytest.mark.parametrize("name", model_names())
def test_a_shipped_model_has_as_many_parameters_as_published(name: str) -> None:
    model = load_model(name)
    assert model.name == name
    assert model.parameters / 1e9 == pytest.approx(PUBLISHED[name], rel=1e-3)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("gemma-3-12b", 11_766_034_176),
        ("gemma-7b", 8_537_680_896),
        ("granite-3.2-8b", 8_170_864_640),
        # Of their checkpoints, without the layer that predicts a token further.
        ("deepseek-v3", 671_026_419_200),
        ("kimi-k2", 1_026_408_232_448),
        ("llama-2-70b", 68_976_648_192),
        ("llama-3-70b", 70_553_706_496),
        ("mistral-small-3.1-24b", 23_572_403_200),
        ("gpt-oss-120b", 116_829_156_672),
        ("gpt-oss-20b", 20_914_757_184),
        ("llama-4-scout", 107_769_861_120),
        ("phi-3.5-moe", 41_873_153_344),
        ("olmo2-7b", 7_298_617_344),
        # Counted by transformers 5.23, which builds them without their weights.
        ("qwen2-57b-a14b", 57_408_658_944),
        ("qwen3-30b-a3b", 30_532_122_624),
    ],
)
def test_large_models_have_exactly_their_parameters(name: str, parameters: int) -> None:
    assert load_model(name).parameters == parameters


@pytest.mark.parametrize("name", CHECKPOINT_BYTES)
def test_a_model_has_exactly_the_parameters_of_its_checkpoint(name: str) -> None:
    assert 2 * load_model(name).parameters == CHECKPOINT_BYTES[name]


def test_parameters_of_a_tiny_model_add_up_by_hand() -> None:
    model = model_from_config(TINY, name="tiny")
    attention = 4 * 8 * 8
    feed_forward = 3 * 8 * 20
    layer = attention + feed_forward + 2 * 8
    assert model.attention_parameters == attention
    assert model.feed_forward_parameters == feed_forward
    assert model.parameters == 3 * layer + 8 + 2 * 100 * 8


def test_an_expert_model_adds_a_router_to_its_experts() -> None:
    experts = {"num_local_experts": 5, "num_experts_per_tok": 2}
    heads = {"num_key_value_heads": 4}
    config = TINY | {"model_type": "mixtral"} | experts | heads
    model = model_from_config(config, name="experts")
    assert model.feed_forward_parameters == 5 * 3 * 8 * 20 + 5 * 8


def test_a_tied_embedding_is_counted_once() -> None:
    tied = model_from_config(TINY | {"tie_word_embeddings": True}, name="tied")
    untied = model_from_config(TINY, name="untied")
    assert untied.parameters - tied.parameters == 100 * 8


def test_gemma_ties_its_embedding_and_normalises_outputs() -> None:
    gemma = model_from_config(TINY | {"model_type": "gemma2"}, name="gemma")
    assert gemma.tied_embeddings
    assert gemma.normalises_outputs
    assert gemma.norms_per_layer == 4


def test_what_a_config_omits_is_multi_head_and_dense() -> None:
    model = model_from_config(TINY | {"num_key_value_heads": None}, name="tiny")
    assert (model.kv_heads, model.head_dim, model.experts) == (4, 2, 1)


def test_a_head_may_be_wider_than_its_share_of_the_hidden_size() -> None:
    assert model_from_config(TINY | {"head_dim": 5}, name="wide").query_size == 20


def test_a_model_is_named_after_the_folder_of_its_config(tmp_path: Path) -> None:
    folder = tmp_path / "my-model"
    folder.mkdir()
    path = written(folder, TINY)
    assert load_model(path).name == "my-model"
    assert load_model(folder) == load_model(path)


def test_an_unmodified_config_may_hold_keys_without_a_size(tmp_path: Path) -> None:
    path = written(tmp_path, TINY | {"rope_scaling": {"factor": 8.0}, "bos": [1]})
    assert load_model(path).layers == 3


def test_an_unknown_model_is_answered_with_the_nearest_and_where_it_looked() -> None:
    with pytest.raises(SpecError, match=r"'llama-2-07b'.*did you mean 'llama-2-7b'"):
        load_model("llama-2-07b")
    with pytest.raises(SpecError) as caught:
        load_model("llama-2-07b")
    assert str(Path.cwd()) in str(caught.value)


def test_a_missing_file_says_where_it_looked(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"no file .*gone\.json \(looked in ") as caught:
        load_model(tmp_path / "gone.json")
    assert str(tmp_path) in str(caught.value)


def test_a_truncated_file_is_asked_whether_it_is_complete(tmp_path: Path) -> None:
    path = written(tmp_path, json.dumps(TINY, indent=1)[:40])
    with pytest.raises(SpecError, match=r"not valid JSON at line 3.*complete\?"):
        load_model(path)


def test_a_file_that_is_no_mapping_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, "[1, 2]")
    with pytest.raises(SpecError, match=r"holds a list, expected keys"):
        load_model(path)


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(
        SpecError, match=r"config\.json: row 1: not UTF-16 \(byte 0x00\)"
    ):
        load_model(path)


def test_an_unknown_architecture_is_answered_with_the_nearest() -> None:
    with pytest.raises(SpecError, match=r"'gemma4' is not modelled; .*'mistral'"):
        model_from_config(TINY | {"model_type": "gemma4"}, name="new")


def test_a_config_without_an_architecture_is_incomplete() -> None:
    with pytest.raises(SpecError, match=r"'model_type' is missing.*complete\?"):
        model_from_config(without("model_type"), name="nameless")


def test_all_missing_sizes_are_named_at_once() -> None:
    config = {"model_type": "llama", "hidden_size": 8, "vocab_size": 9}
    with pytest.raises(
        SpecError,
        match=r"needs intermediate_size, num_hidden_layers, num_attention_heads;",
    ):
        model_from_config(config, name="short")


@pytest.mark.parametrize("value", ["80", 80.5, True, 0, -3, None, [80]])
def test_a_size_that_is_no_number_is_named_as_the_file_names_it(value: object) -> None:
    with pytest.raises(SpecError, match=r"num_hidden_layers = .* whole number above 0"):
        model_from_config(TINY | {"num_hidden_layers": value}, name="wrong")


def test_no_key_value_heads_are_not_taken_for_an_omission() -> None:
    with pytest.raises(SpecError, match=r"num_key_value_heads = 0: .* above 0"):
        model_from_config(TINY | {"num_key_value_heads": 0}, name="headless")


def test_heads_that_do_not_divide_the_hidden_size_need_a_head_dim() -> None:
    with pytest.raises(SpecError, match=r"hidden_size 8 is no multiple of .* 3; give"):
        model_from_config(TINY | {"num_attention_heads": 3}, name="odd")


def test_query_heads_share_key_value_heads_evenly() -> None:
    with pytest.raises(SpecError, match=r"4 query heads cannot share 3 key/value"):
        model_from_config(TINY | {"num_key_value_heads": 3}, name="uneven")


def test_a_token_uses_no_more_experts_than_there_are() -> None:
    config = TINY | {"num_local_experts": 2, "num_experts_per_tok": 3}
    with pytest.raises(SpecError, match=r"a token cannot use 3 of 2 experts"):
        model_from_config(config, name="greedy")


def sizes(**changes: Any) -> ModelSpec:
    return model_from_config(TINY | changes, name="tiny")


def test_qwen2_has_biases_into_attention_only() -> None:
    qwen = sizes(model_type="qwen2", num_key_value_heads=2)
    # Eight for the queries, four each for keys and values.
    per_layer = 8 + 4 + 4
    llama = sizes(num_key_value_heads=2)
    assert qwen.parameters - llama.parameters == 3 * per_layer


def test_qwen3_has_a_norm_for_queries_and_one_for_keys() -> None:
    wide = {"head_dim": 5, "num_key_value_heads": 4}
    qwen, llama = sizes(model_type="qwen3", **wide), sizes(**wide)
    assert qwen.parameters - llama.parameters == 3 * 2 * 5


def test_a_config_may_add_biases() -> None:
    plain = sizes().parameters
    # Four projections of 8 outputs each; gate, up of 20 and down of 8.
    assert sizes(attention_bias=True).parameters - plain == 3 * 4 * 8
    assert sizes(mlp_bias=True).parameters - plain == 3 * (20 + 20 + 8)
    with pytest.raises(SpecError, match=r"mlp_bias = 'no': must be true or false"):
        sizes(mlp_bias="no")


def test_parameters_of_a_tiny_gpt2_add_up_by_hand() -> None:
    config = {
        "model_type": "gpt2",
        "n_embd": 8,
        "n_layer": 3,
        "n_head": 4,
        "n_inner": None,
        "n_positions": 16,
        "vocab_size": 100,
    }
    model = model_from_config(config, name="tiny")
    attention = 4 * (8 * 8 + 8)
    feed_forward = 8 * 32 + 32 + 32 * 8 + 8
    layer = attention + feed_forward + 2 * 2 * 8
    assert model.parameters == 3 * layer + 2 * 8 + (100 + 16) * 8
    assert model.max_context_tokens == 16
    assert model.tied_embeddings


def test_a_gpt2_config_is_asked_for_its_own_keys() -> None:
    with pytest.raises(SpecError, match=r"gpt2 configuration needs n_embd, n_layer, n"):
        sizes(model_type="gpt2")


def test_roberta_leaves_its_first_two_positions_unused() -> None:
    config = {"model_type": "roberta", "max_position_embeddings": 514}
    model = sizes(**config)
    assert (model.position_rows, model.max_context_tokens) == (514, 512)
    with pytest.raises(SpecError, match=r"roberta leaves the first 2 unused"):
        sizes(model_type="roberta", max_position_embeddings=2)


def test_an_encoder_ends_in_a_pooler_and_has_no_head() -> None:
    bert = sizes(model_type="bert", type_vocab_size=2, max_position_embeddings=16)
    assert bert.structure.encoder
    assert bert.head_parameters == 8 * 8 + 8
    assert bert.head_rows == 8
    assert bert.embedding_rows == 100 + 16 + 2


@pytest.mark.parametrize(
    ("changes", "layers"),
    [
        ({"model_type": "mistral", "sliding_window": 5}, (0, 1, 2)),
        ({"model_type": "mistral", "sliding_window": None}, ()),
        ({"model_type": "llama", "sliding_window": 5}, ()),
        ({"model_type": "gemma2", "sliding_window": 5}, (0, 2)),
        ({"model_type": "qwen2", "sliding_window": 5}, ()),
        (
            {
                "model_type": "qwen2",
                "sliding_window": 5,
                "use_sliding_window": True,
                "max_window_layers": 1,
            },
            (1, 2),
        ),
        (
            {
                "model_type": "qwen3",
                "sliding_window": 5,
                "use_sliding_window": True,
                "layer_types": ["full_attention", "sliding_attention"] * 2,
                "num_hidden_layers": 4,
            },
            (1, 3),
        ),
    ],
)
def test_the_layers_with_a_window_are_those_of_the_family(
    changes: dict[str, Any], layers: tuple[int, ...]
) -> None:
    model = sizes(num_key_value_heads=4, **changes)
    assert model.windowed_layers == layers
    for layer in range(model.layers):
        assert model.attended_tokens(layer, 9) == (5 if layer in layers else 9)
        assert model.attended_tokens(layer, 3) == 3
        alike = model.layer_like(layer)
        assert (alike in layers) == (layer in layers)


def test_gemma_has_a_window_even_if_its_config_does_not_say() -> None:
    assert sizes(model_type="gemma2").window_tokens == 4096


@pytest.mark.parametrize(
    ("key", "lack"),
    [
        ("kv_lora_rank", "latent attention"),
        ("state_size", "state-space layers"),
    ],
)
def test_an_unknown_architecture_is_told_what_is_not_modelled_of_it(
    key: str, lack: str
) -> None:
    with pytest.raises(
        SpecError, match=rf"'qwen9' is not .*not modelled of it: {lack}"
    ):
        sizes(model_type="qwen9", **{key: 4})


def test_an_unknown_architecture_is_told_which_sizes_it_lacks() -> None:
    with pytest.raises(SpecError, match=r"it lacks vocab_size"):
        model_from_config(without("vocab_size") | {"model_type": "new"}, name="new")


def test_sizes_can_be_set_one_by_one() -> None:
    model = load_model("llama-2-70b")
    smaller = model.with_settings({"layers": "40"})
    assert smaller == model.model_copy(update={"layers": 40})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"layer": 3}, r"--set layer: no such key; did you mean 'layers'\?"),
        ({"name": "x"}, r"--set name: no such key"),
        ({"layers": 0}, r"layers = 0: must be greater than 0"),
        ({"kv_heads": 3}, r"64 query heads cannot share 3 key/value heads"),
    ],
)
def test_a_size_that_cannot_be_set_is_refused(
    settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(SpecError, match=message):
        load_model("llama-2-70b").with_settings(settings)
