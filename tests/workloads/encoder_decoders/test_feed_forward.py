from specs.vector_functions import VectorFunction
from tests.workloads.encoder_decoders.stacks import functions, started
from workloads.encoder_decoders.feed_forward import feed_forward


def test_a_feed_forward_without_biases_activates_results_as_they_are_made() -> None:
    builder = started("t5")
    feed_forward(builder, 0, "residual", 2)
    assert functions(builder) == [
        (VectorFunction.RMS_NORM, False),
        (VectorFunction.RELU, True),
        (VectorFunction.ADD, True),
    ]


def test_a_gate_is_activated_and_multiplies_the_other_projection() -> None:
    builder = started("t5 with gates")
    feed_forward(builder, 0, "residual", 2)
    assert functions(builder)[1:3] == [
        (VectorFunction.GELU_TANH, True),
        (VectorFunction.MULTIPLY, True),
    ]


def test_a_bias_is_added_before_the_activation() -> None:
    builder = started("whisper")
    feed_forward(builder, 0, "residual", 2)
    assert functions(builder) == [
        (VectorFunction.LAYER_NORM, False),
        (VectorFunction.ADD, True),
        (VectorFunction.GELU, False),
        (VectorFunction.ADD, True),
    ]
