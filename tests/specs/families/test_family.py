import pytest

from specs.families.catalogue import FAMILIES
from specs.families.family import Family, NormPlacement
from specs.model import load_model, model_names


def test_llama_is_the_family_of_the_structure_by_default() -> None:
    llama = FAMILIES["llama"]
    own = {"source", "defaults", "keys"}
    assert llama.model_dump(exclude=own) == Family().model_dump(exclude=own)


def test_encoders_share_one_structure() -> None:
    encoders = {name for name, family in FAMILIES.items() if family.encoder}
    assert encoders == {"bert", "roberta"}
    own = {"source", "extends", "first_position", "defaults"}
    bert, roberta = (FAMILIES[name].model_dump(exclude=own) for name in encoders)
    assert bert == roberta


@pytest.mark.parametrize("name", model_names())
def test_a_shipped_model_has_the_structure_of_its_family(name: str) -> None:
    model = load_model(name)
    assert model.structure is FAMILIES[model.family]
    # One less where both blocks of a layer share it.
    norms = model.norms_per_layer + model.block_order.shares_norm
    assert norms == FAMILIES[model.family].norms_per_layer


def test_norms_around_blocks_are_twice_as_many() -> None:
    assert Family(norms=NormPlacement.AROUND).norms_per_layer == 4
    assert Family(norms=NormPlacement.RESIDUAL).norms_per_layer == 2
    behind = Family(norms=NormPlacement.BEHIND)
    assert behind.norms_per_layer == 2
    assert (behind.normalises_inputs, behind.normalises_outputs) == (False, True)


def test_families_whose_config_says_which_biases_there_are_have_none_of_their_own() -> (
    None
):
    for family in FAMILIES.values():
        if family.keys.attention_biases or family.keys.feed_forward_biases:
            assert not family.biased
