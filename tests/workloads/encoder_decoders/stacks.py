"""Stacks of tiny encoder-decoders, for tests of their parts."""

from specs.encoder_decoders.reading import encoder_decoder_from_config
from specs.graph import Role, Vector
from specs.vector_functions import VectorFunction
from tests.workloads.encoder_decoders.make_transformers_values import CASES
from workloads.encoder_decoders.stack_builder import Size, StackBuilder


def started(case: str) -> StackBuilder:
    """Return the decoder of a case, with a residual of two rows."""
    builder = StackBuilder(encoder_decoder_from_config(CASES[case], case), "decoder")
    builder.tensor("residual", Size(1, 2, 12), Role.INPUT)
    return builder


def functions(builder: StackBuilder) -> list[tuple[VectorFunction | None, bool]]:
    """Return the function of each vector operator, and whether it is chained."""
    return [
        (operator.function, operator.chained)
        for operator in builder.graph()[1]
        if isinstance(operator, Vector)
    ]
