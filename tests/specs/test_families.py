import pytest

from specs.families import (
    ATTENTION_BIAS_READERS,
    FAMILIES,
    MLP_BIAS_READERS,
    UNMODELLED,
    Family,
)
from specs.model import load_model, model_names


def test_llama_is_the_family_of_the_defaults() -> None:
    assert FAMILIES["llama"] == Family()


def test_encoders_share_one_structure() -> None:
    encoders = {name for name, family in FAMILIES.items() if family.encoder}
    assert encoders == {"bert", "roberta"}
    assert FAMILIES["bert"] == FAMILIES["roberta"]


@pytest.mark.parametrize("name", model_names())
def test_a_shipped_model_has_the_structure_of_its_family(name: str) -> None:
    model = load_model(name)
    assert model.structure is FAMILIES[model.family]
    assert model.norms_per_layer == FAMILIES[model.family].norms_per_layer


def test_readers_of_biases_are_families_without_biases_of_their_own() -> None:
    for name in {*ATTENTION_BIAS_READERS, *MLP_BIAS_READERS}:
        assert not FAMILIES[name].biased


def test_no_family_needs_what_is_not_modelled() -> None:
    assert not set(UNMODELLED) & set(FAMILIES)
