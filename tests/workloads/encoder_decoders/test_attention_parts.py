import numpy as np

from specs.encoder_decoders.reading import encoder_decoder_from_config
from specs.graph import Role
from tests.workloads.encoder_decoders.make_transformers_values import CASES
from workloads.encoder_decoders.attention_parts import (
    attend,
    attention_output,
    by_columns,
    by_heads,
)
from workloads.encoder_decoders.stack_builder import Size, StackBuilder

# 4 heads of 5 elements.
T5 = encoder_decoder_from_config(CASES["t5"], "t5")
ROWS = np.arange(3 * 20).reshape(3, 4, 5)


def test_rows_become_a_matrix_for_each_head() -> None:
    places, inside = by_heads(StackBuilder(T5, "encoder"), range(1, 3)).places()
    assert inside.all()
    assert places.tolist() == ROWS[1:].transpose(1, 0, 2).reshape(-1).tolist()


def test_rows_become_the_columns_of_a_matrix_for_each_head() -> None:
    places, _ = by_columns(StackBuilder(T5, "encoder"), 3).places()
    assert places.tolist() == ROWS.transpose(1, 2, 0).reshape(-1).tolist()


def test_scores_have_their_bias_before_the_softmax() -> None:
    builder = StackBuilder(T5, "decoder")
    for name, size in {"q": (4, 1, 5), "k": (4, 5, 7), "v": (4, 7, 5)}.items():
        builder.tensor(name, Size(*size), Role.INPUT)
    builder.tensor("bias", Size(4, 1, 7), Role.INPUT)
    made = attend(
        builder,
        "p",
        operands=("q", "k", "v"),
        scored=Size(4, 1, 7),
        made=Size(1, 1, 20),
        bias="bias",
    )
    builder.tensor("residual", Size(1, 1, 12), Role.INPUT)
    attention_output(
        builder, "p", stored="w", context=made, residual="residual", rows=1
    )
    assert [operator.name for operator in builder.graph()[1]] == [
        "p.scores",
        "p.biased",
        "p.weights",
        "p.attend",
        "p.output.product",
        "p.output",
    ]
