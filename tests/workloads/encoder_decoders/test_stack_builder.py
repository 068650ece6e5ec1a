from specs.encoder_decoders.reading import encoder_decoder_from_config
from specs.graph import Role, Vector
from specs.vector_functions import VectorFunction
from tests.workloads.encoder_decoders.make_transformers_values import CASES
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


def test_weights_that_two_parts_read_are_there_once() -> None:
    builder = started("t5")
    assert builder.weights("w", 3, 4) == builder.weights("w", 3, 4) == "w"
    assert [tensor.name for tensor in builder.graph()[0]] == ["residual", "w"]
