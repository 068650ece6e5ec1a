from typing import Any

import pytest

from specs.errors import SpecError
from specs.families.catalogue import FAMILIES
from specs.model import SIZES, load_model, model_from_config, model_names
from specs.numerical_settings import (
    NumericalSettings,
    RopeScaling,
    default_settings,
    numerical_settings_of,
)

TINY: dict[str, Any] = {
    "model_type": "llama",
    "hidden_size": 8,
    "intermediate_size": 20,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "vocab_size": 100,
}


@pytest.mark.parametrize("family", FAMILIES)
def test_a_config_that_says_nothing_has_the_settings_of_its_family(family: str) -> None:
    assert numerical_settings_of({}, family) == default_settings(family)


@pytest.mark.parametrize(
    ("family", "key", "value", "field"),
    [
        ("llama", "rms_norm_eps", 1e-5, "norm_epsilon"),
        ("bert", "layer_norm_eps", 1e-6, "norm_epsilon"),
        ("gpt2", "layer_norm_epsilon", 1e-6, "norm_epsilon"),
        ("llama", "hidden_act", "gelu", "activation"),
        ("gpt2", "activation_function", "relu", "activation"),
        ("gemma2", "hidden_activation", "relu", "activation"),
        ("llama", "rope_theta", 500_000.0, "rope_theta"),
        ("phi3", "partial_rotary_factor", 0.75, "rotary_fraction"),
        ("gemma2", "query_pre_attn_scalar", 144.0, "query_scalar"),
        ("gemma2", "attn_logit_softcapping", None, "attention_soft_cap"),
        ("gemma2", "final_logit_softcapping", 20.0, "final_soft_cap"),
    ],
)
def test_a_key_sets_one_setting(
    family: str, key: str, value: object, field: str
) -> None:
    changed = numerical_settings_of({key: value}, family)
    assert getattr(changed, field) == value
    assert changed == default_settings(family).model_copy(update={field: value})


def test_only_gemma_has_caps() -> None:
    plain = numerical_settings_of({"final_logit_softcapping": 20.0}, "llama")
    assert plain.final_soft_cap is None


@pytest.mark.parametrize("key", ["rope_scaling", "rope_parameters"])
def test_a_scaling_of_the_rotation_is_read_as_old_and_new_configs_write_it(
    key: str,
) -> None:
    table = {
        "rope_type": "llama3",
        "factor": 8.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192,
    }
    settings = numerical_settings_of({key: table}, "llama")
    assert settings.rope_scaling == RopeScaling(kind="llama3", factor=8.0)


@pytest.mark.parametrize(
    "config",
    [
        {"rope_scaling": None},
        {"rope_scaling": {"type": "default"}},
        # Text has one position in all sections of a multimodal rotation.
        {"rope_scaling": {"type": "mrope", "mrope_section": [16, 24, 24]}},
        {"rope_parameters": {"rope_type": "default", "rope_theta": 10_000.0}},
    ],
)
def test_a_default_rotation_is_not_scaled(config: dict[str, Any]) -> None:
    assert numerical_settings_of(config, "llama") == NumericalSettings()


@pytest.mark.parametrize("config", [{}, {"rope_scaling": None}])
def test_a_config_without_a_table_of_its_rotation_has_that_of_its_class(
    config: dict[str, Any],
) -> None:
    scaling = numerical_settings_of(config, "gpt_oss").rope_scaling
    assert scaling is not None
    assert (scaling.kind, scaling.factor, scaling.whole_pairs) == ("yarn", 32.0, False)
    plain = {"rope_parameters": {"rope_type": "default"}}
    assert numerical_settings_of(plain, "gpt_oss").rope_scaling is None


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"rms_norm_eps": "small"}, r"mine: norm_epsilon = 'small': must be a valid"),
        ({"rope_theta": 0}, r"mine: rope_theta = 0: must be greater than 0"),
        ({"rope_theta": True}, r"mine: rope_theta = True: must be a number"),
        ({"rope_scaling": 2}, r"mine: rope_scaling = 2: must be a table or null"),
        ({"rope_scaling": {"type": "x", "factor": -1}}, r"rope_scaling\.factor = -1"),
    ],
)
def test_a_wrong_setting_is_refused(config: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        numerical_settings_of(config, "llama", "mine")


def test_settings_are_no_sizes_and_survive_a_change_of_size() -> None:
    model = model_from_config(TINY | {"rope_theta": 7.0}, name="tiny")
    assert "numerics" not in SIZES
    assert "numerics" not in model.model_dump()
    assert model.with_settings({"layers": 2}).numerical_settings.rope_theta == 7.0
    with pytest.raises(SpecError, match=r"--set numerics: no such key"):
        model.with_settings({"numerics": None})


@pytest.mark.parametrize("name", model_names())
def test_a_shipped_model_has_the_activation_of_its_family(name: str) -> None:
    model = load_model(name)
    assert model.numerics is not None
    assert model.numerics.activation == default_settings(model.family).activation
