from collections.abc import Callable
from typing import Any

import pytest

from specs.errors import SpecError
from specs.families.catalogue import FAMILIES
from specs.formats import Format
from specs.graph import Role
from specs.machine_formats import FormatsSpec
from specs.model import ModelSpec, load_model, model_names
from specs.weight_formats import WeightFormat
from workloads.model_graph import graph_of
from workloads.operators import Function, multiplies_residual

Tiny = Callable[..., ModelSpec]
FORMATS = FormatsSpec(
    weights=WeightFormat(Format.FP8),
    activations=Format.FP16,
    kv_cache=Format.INT8,
)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_has_a_graph(family: str, tiny: Tiny) -> None:
    graph = graph_of(tiny(family), context=8, batch=1)
    assert graph.layers == tiny(family).layers


@pytest.mark.parametrize("name", model_names())
def test_the_weights_of_a_graph_add_up_to_the_parameters_of_the_model(
    name: str,
) -> None:
    model = load_model(name)
    assert graph_of(model, context=8, batch=1).parameters == model.parameters


# Biases of latent attention are refused, and of the families that have linear.
@pytest.mark.parametrize(
    "family",
    [n for n, f in FAMILIES.items() if not f.has_latents and not f.has_linear_layers],
)
def test_so_they_do_with_every_bias(family: str, tiny: Tiny) -> None:
    model = tiny(family, attention_bias=True, mlp_bias=True)
    assert graph_of(model, context=8, batch=1).parameters == model.parameters


def test_a_llama_layer_is_a_sequence_of_operators_by_name(tiny: Tiny) -> None:
    graph = graph_of(tiny("llama"), context=9, batch=2, query_tokens=3)
    of_layer = [o for o in graph.operators() if o.layer == 1]
    assert [operator.name.removeprefix("layers.1.") for operator in of_layer] == [
        "attention.norm",
        "attention.scale",
        "attention.qkv",
        "attention.position",
        "attention.scores",
        "attention.softmax",
        "attention.attend",
        "attention.output_product",
        "attention.reduce",
        "feed_forward.norm",
        "feed_forward.scale",
        "feed_forward.gate_up",
        "feed_forward.activate",
        "feed_forward.down",
        "feed_forward.reduce",
    ]
    assert of_layer[0].inputs[0] == "layers.0.feed_forward.output"
    assert of_layer[8].inputs[1] == "layers.0.feed_forward.output"
    assert of_layer[14].inputs[1] == "layers.1.attention.output"


def test_shapes_are_rows_of_tokens_by_columns_of_features(tiny: Tiny) -> None:
    graph = graph_of(tiny("llama"), context=9, batch=2, query_tokens=3, answer_tokens=2)
    sizes = {
        "tokens": (6, 1),
        "embedding.output": (6, 12),
        "layers.0.attention.query": (6, 16),
        "layers.0.attention.keys": (6, 8),
        "layers.0.attention.key_cache": (18, 8),
        "layers.0.attention.scores": (24, 9),
        "layers.0.feed_forward.gate": (6, 20),
        "layers.0.feed_forward.down.weight": (12, 20),
        "head.input": (4, 12),
        "head.logits": (4, 23),
        "head.candidates": (4, 2),
        "head.token": (4, 1),
    }
    for name, size in sizes.items():
        tensor = graph.tensor(name)
        assert (tensor.rows, tensor.columns) == size, name


def test_a_window_keeps_the_positions_that_some_query_attends_to(tiny: Tiny) -> None:
    graph = graph_of(tiny("gemma2"), context=9, batch=1, query_tokens=2)
    # The window of 3 of the first layer, and one more for the second query.
    assert graph.tensor("layers.0.attention.key_cache").rows == 4
    assert graph.tensor("layers.1.attention.key_cache").rows == 9


def test_experts_lie_behind_each_other_and_a_router_chooses(tiny: Tiny) -> None:
    graph = graph_of(tiny("mixtral"), context=3, batch=1)
    assert graph.tensor("layers.0.feed_forward.gate.weight").rows == 4 * 20
    functions = [o.function for o in graph.operators() if "0.feed_forward" in o.name]
    assert functions[:4] == [
        Function.NORM_WEIGH,
        Function.ROUTER,
        Function.NORM_SCALE,
        Function.CHOOSE,
    ]


def test_an_encoder_keeps_no_state_and_computes_all_positions(tiny: Tiny) -> None:
    graph = graph_of(tiny("bert"), context=5, batch=2)
    assert graph.of_role(Role.STATE) == ()
    assert graph.tensor("tokens").rows == 10
    assert graph.tensor("head.pooled").rows == 2
    reduce = next(o for o in graph.operators() if o.name.endswith("1.attention.reduce"))
    assert reduce.inputs[1] == "layers.1.attention.input"


def test_a_tied_head_is_a_copy_of_the_embedding(tiny: Tiny) -> None:
    tied = graph_of(tiny("gpt2"), context=5, batch=1).tensor("head.weight")
    assert tied.copy_of == "embedding.weight"
    own = graph_of(tiny("llama"), context=5, batch=1).tensor("head.weight")
    assert own.copy_of is None


def test_tensors_have_the_formats_of_the_machine(tiny: Tiny) -> None:
    graph = graph_of(tiny("llama"), FORMATS, context=5, batch=1)
    stem = "layers.0.attention"
    assert graph.tensor(f"{stem}.query.weight").format is Format.FP8
    assert graph.tensor(f"{stem}.query").format is Format.FP16
    assert graph.tensor(f"{stem}.key_cache").format is Format.INT8
    assert graph.tensor(f"{stem}.squares").format is Format.FP32
    without = graph_of(tiny("llama"), context=5, batch=1)
    assert {tensor.format for tensor in without.tensors()} == {None}


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ({"context": 4, "batch": 0}, r"^batch 0, .* must be positive"),
        ({"context": 4, "batch": 1, "query_tokens": 5}, r"query_tokens 5 and context"),
        ({"context": 4, "batch": 1, "answer_tokens": 2}, r"answer_tokens 2, query_tok"),
        ({"context": 33, "batch": 1}, r"gpt2: a context of 33 is beyond the 32 posi"),
    ],
)
def test_rows_that_cannot_be_are_refused(
    rows: dict[str, Any], message: str, tiny: Tiny
) -> None:
    with pytest.raises(SpecError, match=message):
        graph_of(tiny("gpt2"), **rows)


def test_without_a_norm_before_it_a_product_reads_the_residual(tiny: Tiny) -> None:
    first = [
        block.operators[0]
        for block in graph_of(tiny("olmo2"), context=8, batch=1).blocks
    ]
    assert [multiplies_residual(each) for each in first] == [False, True, True, False]
    first = [
        block.operators[0]
        for block in graph_of(tiny("llama"), context=8, batch=1).blocks
    ]
    assert not any(map(multiplies_residual, first))
