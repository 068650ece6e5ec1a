import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from specs.machine import load_machine
from specs.model import ModelSpec, load_model, model_names
from specs.model_formats import ModelFormats, WeightGroup
from workloads.model_graph import graph_of
from workloads.operator_costs import OperatorCost, operator_cost
from workloads.operator_graph import OperatorGraph

FORMATS = load_machine().formats


def closed_form_macs(model: ModelSpec, context: int, batch: int) -> int:
    """Return the multiply-accumulates of all products."""
    tokens = batch * (context if model.structure.encoder else 1)
    inner = (
        model.experts_per_token
        * (model.expert_intermediate_size or model.intermediate_size)
        + model.shared_intermediate_size
    )
    routed = model.experts if model.experts > 1 else 0
    routed += model.shared_expert_gate
    feed_forward = (model.projections_in + 1) * inner + routed
    dense = (model.projections_in + 1) * model.intermediate_size
    layers = range(model.layers)
    first = sum(not model.has_experts(n) for n in layers) if routed else 0
    inner_weights = first * dense + (model.layers - first) * feed_forward
    attended = sum(model.attended_tokens(n, context) for n in layers)
    attention = _mixed(model, context) * attended
    answers = batch if model.structure.encoder else tokens
    head = model.head_rows * model.hidden_size
    weights = sum(map(model.attention_parameters_in, layers))
    if model.linear is not None:
        # Each element of a state is recalled, corrected and read.
        weights += 3 * sum(map(model.is_linear, layers)) * model.linear.state_elements
    weights += model.hidden_size * inner_weights
    return tokens * (weights + attention) + answers * head


def _mixed(model: ModelSpec, context: int) -> int:
    """Return the multiply-accumulates of scores and values of a position."""
    if model.latent is None:
        return 2 * model.query_size
    latent = model.latent
    columns = latent.cached_size + latent.kv_rank
    if context == 1:
        # Keys and values are made of one latent as cheaply as queries absorb weights.
        columns = latent.head_dim + latent.value_dim
    return model.attention_heads * columns


def costs(graph: OperatorGraph) -> dict[str, OperatorCost]:
    return {
        operator.name: operator_cost(graph, block, operator, FORMATS)
        for block in graph.blocks
        for operator in block.operators
    }


@pytest.mark.parametrize("name", model_names())
@settings(max_examples=10)
@given(context=st.integers(1, 512), batch=st.integers(1, 4))
def test_the_operators_of_a_model_multiply_what_its_closed_form_says(
    name: str, context: int, batch: int
) -> None:
    model = load_model(name)
    # As few layers as have all kinds.
    model = model.with_settings({"layers": 4 if model.linear else 2})
    graph = graph_of(model, context=context, batch=batch)
    macs = sum(
        max(1, len(block.layers)) * operator_cost(graph, block, each, FORMATS).macs
        for block in graph.blocks
        for each in block.operators
    )
    assert macs == closed_form_macs(model, context, batch)


def test_a_product_reads_its_weights_and_its_input_and_writes_its_results() -> None:
    found = costs(graph_of(load_model("llama-2-7b"), context=64, batch=1))
    gate_up = found["layers.{layer}.feed_forward.gate_up"]
    # FP8 weights, FP16 activations.
    weights = 2 * 4096 * 11008
    assert gate_up == OperatorCost(weights, weights + 2 * 4096, 2 * 2 * 11008)
    # A norm reads the residual and its weights.
    norm = found["layers.{layer}.attention.norm"]
    assert norm.read_bytes == 2 * 4096 + 4096
    # A lookup reads one row, and the token.
    assert found["embedding.lookup"].read_bytes == 4096 + 2


def test_rows_read_the_experts_that_they_choose() -> None:
    model = load_model("mixtral-8x7b")
    one, many = (
        costs(graph_of(model, context=64, batch=batch))[
            "layers.{layer}.feed_forward.down"
        ]
        for batch in (1, 100)
    )
    expert = 4096 * 14336
    assert one.macs == 2 * expert
    assert many.macs == 100 * 2 * expert
    activated = 2 * 8 * 14336
    assert one.read_bytes == 2 * expert + activated
    assert many.read_bytes == 8 * expert + 100 * activated


def test_weights_of_a_checkpoint_are_read_in_the_format_of_their_group() -> None:
    model = load_model("mixtral-8x7b").with_settings({"layers": 1})
    graph = graph_of(model, context=64, batch=1)
    formats = ModelFormats.model_validate(
        dict.fromkeys(WeightGroup, "fp16") | {"method": "any", "experts": "mxfp4"}
    )
    found = {
        operator.name: operator_cost(graph, block, operator, FORMATS, formats)
        for block in graph.blocks
        for operator in block.operators
    }
    up = found["layers.{layer}.feed_forward.gate_up"]
    # Gate and up of two experts in 4.25 bits, beside the input and the choice.
    weights = 2 * 2 * 4096 * 14336 * 17 // 32
    assert weights < up.read_bytes <= weights + 2 * 4096 + 64
    assert found["embedding.lookup"].read_bytes == 2 * 4096 + 2
    router = found["layers.{layer}.feed_forward.router"]
    assert router.read_bytes == 2 * 8 * 4096 + 2 * 4096
