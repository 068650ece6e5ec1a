from chip.dataflow import Value
from compiler.ir.entry_dataflow import GraphScope, Scope

LAYER = Scope(layer=3, residual="layers.2.feed_forward.output", number=1, answers=True)
HEAD = LAYER._replace(residual="layers.3.feed_forward.output", received=True)


def test_a_name_stands_for_the_tensor_of_its_layer_in_its_pass() -> None:
    value = LAYER.value("layers.{layer}.attention.input")
    assert value == Value("layers.3.attention.input", 1)
    assert LAYER.value("{residual}") == Value("layers.2.feed_forward.output", 1)


def test_weights_and_caches_stay_from_pass_to_pass() -> None:
    for name in ("attention.query.weight", "attention.query.bias", "key_cache"):
        assert LAYER.value(name).number == -1


def test_only_answered_positions_go_through_the_head_of_a_decoder() -> None:
    assert LAYER.value("head.input") == Value("head.input", 1, answered=True)
    assert not LAYER.value("head.weight").answered
    # Of the residual stream, a stage of the head alone receives no more.
    assert HEAD.value("{residual}").answered
    assert not HEAD._replace(received=False).value("{residual}").answered
    encoder = HEAD._replace(answers=False)
    assert not encoder.value("head.input").answered
    assert not encoder.value("{residual}").answered


def test_names_of_a_graph_are_their_own_and_only_weights_stay() -> None:
    scope = GraphScope(frozenset({"w"}))
    assert scope.value("w") == Value("w", -1)
    # Neither how a name ends nor its braces say anything.
    assert scope.value("my.weight") == Value("my.weight", 0)
    assert scope.value("{layer}") == Value("{layer}", 0)
