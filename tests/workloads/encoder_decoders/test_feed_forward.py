from specs.encoder_decoders.reading import encoder_decoder_from_config
from specs.graph import Role, Vector
from specs.vector_functions import VectorFunction
from tests.workloads.encoder_decoders.make_transformers_values import CASES
from workloads.encoder_decoders.feed_forward import feed_forward
from workloads.encoder_decoders.stack_builder import Size, StackBuilder


def started(case: str) -> StackBuilder:
    builder = StackBuilder(encoder_decoder_from_config(CASES[case], case), "decoder")
    builder.tensor("residual", Size(1, 2, 12), Role.INPUT)
    return builder


def functions(builder: StackBuilder) -> list[tuple[VectorFunction | None, bool]]:
    return [
        (operator.function, operator.chained)
        for operator in builder.graph()[1]
        if isinstance(operator, Vector)
    ]


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
