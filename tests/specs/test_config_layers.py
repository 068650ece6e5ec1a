from typing import Any

import pytest

from specs.config_layers import unrotated_of, window_of
from specs.config_values import Config
from specs.errors import SpecError
from specs.families.catalogue import FAMILIES


def config(family: str, **content: Any) -> Config:
    return Config(content, FAMILIES[family], "mine")


def test_the_last_layer_of_each_period_has_no_window() -> None:
    assert window_of(config("gemma3_text", sliding_window=9), 7) == {
        "window_tokens": 9,
        "windowed_layers": (0, 1, 2, 3, 4, 6),
    }
    short = config("gemma3_text", sliding_window=9, sliding_window_pattern=2)
    assert window_of(short, 4)["windowed_layers"] == (0, 2)


def test_the_last_layer_of_each_period_is_not_rotated() -> None:
    assert unrotated_of(config("smollm3"), 9) == {"unrotated_layers": (3, 7)}
    assert unrotated_of(config("llama", no_rope_layers=[0, 0]), 2) == {}


def test_a_list_says_which_layers_are_rotated() -> None:
    listed = config("smollm3", no_rope_layers=[1, 0, 1])
    assert unrotated_of(listed, 3) == {"unrotated_layers": (1,)}
    with pytest.raises(SpecError, match=r"no_rope_layers must say of each of 4 layers"):
        unrotated_of(listed, 4)
