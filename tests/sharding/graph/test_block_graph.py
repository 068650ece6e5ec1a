import pytest

from sharding.graph.block_graph import BlockGraph
from specs.graph import Vector
from specs.machine import load_machine
from specs.model import ModelSpec, load_model

FORMATS = load_machine().formats


@pytest.fixture
def graph(tiny: ModelSpec) -> BlockGraph:
    """Return an empty graph of three sequences."""
    return BlockGraph(tiny, FORMATS, context=16, batch=3)


def test_a_decoder_computes_a_position_of_each_sequence_and_an_encoder_all(
    graph: BlockGraph,
) -> None:
    assert (graph.positions, graph.tokens, graph.cached) == (1, 3, FORMATS.kv_cache)
    encoder = BlockGraph(load_model("bert-base"), FORMATS, context=16, batch=3)
    assert (encoder.positions, encoder.tokens, encoder.cached) == (16, 48, None)


def test_an_activation_of_the_hidden_size_has_a_row_for_each_token(
    graph: BlockGraph,
) -> None:
    assert graph.hidden("x") == "x"
    (tensor,) = graph.tensors
    assert (tensor.rows, tensor.columns) == (3, 8)


def test_an_input_is_normed_and_scaled(graph: BlockGraph) -> None:
    assert graph.normed("block", graph.hidden("x")) == "block.input"
    assert graph.operators == [
        Vector(
            name="block.norm",
            inputs=("x", "block.norm.weight"),
            outputs=("block.normed",),
            operations=3,
        ),
        Vector(
            name="block.scale",
            inputs=("block.normed",),
            outputs=("block.input",),
            operations=2,
        ),
    ]


def test_a_layer_norm_has_a_bias_too(graph: BlockGraph) -> None:
    assert graph.norm("norm") == ("norm.weight",)
    gpt2 = BlockGraph(load_model("gpt2"), FORMATS, context=16, batch=1)
    assert gpt2.norm("norm") == ("norm.weight", "norm.bias")


def test_a_result_is_added_to_the_residual_stream_with_its_bias(
    graph: BlockGraph,
) -> None:
    back, residual = graph.hidden("back"), graph.hidden("x")
    assert graph.reduced("block", back, residual, biases=True) == "block.reduced"
    assert graph.operators == [
        Vector(
            name="block.reduce",
            inputs=("back", "x", "block.output.bias"),
            outputs=("block.reduced",),
            operations=2,
            elements=3 * 8,
        )
    ]


def test_gemma_normalises_the_result_of_a_block() -> None:
    gemma = BlockGraph(load_model("gemma-2-9b"), FORMATS, context=16, batch=1)
    back, residual = gemma.hidden("back"), gemma.hidden("x")
    assert gemma.reduced("block", back, residual, biases=False) == "block.scaled"
    assert [each.name for each in gemma.operators] == [
        "block.reduce",
        "block.post_scale",
    ]
