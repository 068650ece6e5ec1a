from specs.formats import Format
from specs.graph import Role
from specs.machine import load_machine
from specs.model import ModelSpec
from workloads.attributes import NormAttributes
from workloads.model_graph import graph_of
from workloads.operators import TokenRows, is_recurrent
from workloads.transformer.block_builder import Transformer
from workloads.transformer.linear_attention import linear_attention

FORMATS = load_machine().formats


def test_a_block_has_a_named_function_for_each_step(linear_model: ModelSpec) -> None:
    assert linear_model.linear is not None
    transformer = Transformer(
        model=linear_model,
        formats=None,
        rows=TokenRows(batch=2, context=9, query_tokens=3, answer_tokens=1),
        norm=NormAttributes(epsilon=1e-6),
    )
    block = linear_attention(transformer, linear_model.linear)
    assert block.layers == (0,)
    assert [each.function.value for each in block.operators] == [
        *("norm_weigh", "norm_scale", "product", "convolve", "unit_norm", "decay"),
        *("delta_rule", "gated_norm", "product", "add"),
    ]


def test_states_have_no_row_for_a_position(linear_model: ModelSpec) -> None:
    graphs = [
        graph_of(linear_model, FORMATS, context=context, batch=2) for context in (5, 50)
    ]
    states = [
        {t.name: t for t in graph.of_role(Role.STATE) if is_recurrent(t.name)}
        for graph in graphs
    ]
    assert states[0] == states[1]
    kept = sum(
        each.format.bytes_of(each.elements)
        for each in states[0].values()
        if each.format is not None
    )
    assert kept == 2 * linear_model.state_bytes(FORMATS.activations)
    state = states[0]["layers.0.attention.delta_state"]
    assert (state.rows, state.columns, state.format) == (2 * 6, 8 * 5, Format.FP32)


def test_attention_of_the_other_layers_is_gated(linear_model: ModelSpec) -> None:
    graph = graph_of(linear_model, context=5, batch=1)
    gate = next(o for o in graph.operators() if o.name.endswith(".gate_output"))
    assert gate.layer == 1
    assert gate.inputs == (
        "layers.1.attention.context",
        "layers.1.attention.output_gate",
    )
