from specs.families.config_keys import ConfigKeys


def test_a_key_is_a_string_and_several_are_a_list_and_none_an_empty_string() -> None:
    keys = ConfigKeys.model_validate(
        {"layers": "n_layer", "activation": ["a", "b"], "experts": ""}
    )
    assert (keys.layers, keys.activation, keys.experts) == (
        ("n_layer",),
        ("a", "b"),
        (),
    )
