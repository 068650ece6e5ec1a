import subprocess
import sys

import pytest

from specs.errors import SpecError
from specs.families.catalogue import FAMILIES, family_names, load_family


@pytest.mark.parametrize("name", family_names())
def test_every_file_is_a_family_and_names_its_configuration_class(name: str) -> None:
    family = load_family(name)
    # Transformers has no class of it.
    holder = {"internlm2": "internlm2-7b"}.get(name, "transformers")
    assert f"Config of {holder}" in family.source
    assert FAMILIES[name] is family


def test_a_family_takes_all_it_does_not_say_from_the_one_it_extends() -> None:
    mixtral, mistral = FAMILIES["mixtral"], FAMILIES["mistral"]
    assert mixtral.extends == "mistral"
    assert mixtral.keys == mistral.keys
    assert FAMILIES["qwen3"].keys.window_tokens == FAMILIES["qwen2"].keys.window_tokens
    assert not FAMILIES["qwen3"].qkv_biased


def test_defaults_and_their_source_are_not_inherited() -> None:
    assert FAMILIES["mixtral"].source != FAMILIES["mistral"].source
    assert FAMILIES["mistral"].defaults["sliding_window"] == 4096
    assert "sliding_window" not in FAMILIES["mixtral"].defaults


def test_an_unknown_family_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(SpecError, match=r"no family 'lama'; did you mean 'llama'"):
        load_family("lama")
    assert "lama" not in FAMILIES
    assert len(FAMILIES) == len(family_names())


def test_only_the_family_asked_for_is_read() -> None:
    script = (
        "from specs.families.catalogue import load_family\n"
        "from specs.model import load_model\n"
        "assert load_family.cache_info().currsize == 0\n"
        "load_model('llama-2-70b').numerical_settings\n"
        "assert load_family.cache_info().currsize == 1\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
