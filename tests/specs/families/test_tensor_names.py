from specs.families.tensor_names import TensorNames


def test_projections_of_experts_take_the_place_of_the_feed_forwards() -> None:
    names = TensorNames(gate="g", up="u", down="d", expert_gate="{expert}.g")
    assert names.of_experts.gate == "{expert}.g"
    assert names.of_experts.down == names.expert_down
    assert names.of_experts.query == names.query


def test_the_first_norm_may_have_a_name_of_its_own() -> None:
    names = TensorNames(first_norm="first", attention_norm="layers.{before}.norm")
    assert names.norm_before_attention(0) == "first"
    assert names.norm_before_attention(3) == "layers.2.norm"
    assert TensorNames(final_norm="{before}.norm").norm_before_head(5) == "4.norm"
