from collections.abc import Callable
from dataclasses import replace

import pytest

from specs.errors import SpecError
from specs.graph import Role
from specs.model import ModelSpec
from workloads.attributes import AddAttributes, NormAttributes, Rows
from workloads.operator_graph import Block
from workloads.operators import Function, GraphOperator, TokenRows
from workloads.transformer.block_builder import BlockBuilder, Transformer
from workloads.transformer.residual_stream import (
    reduced_output,
    scaled_input,
    weighed_input,
)

# Six rows, of which two are answered.
ROWS = TokenRows(batch=2, context=5, query_tokens=3, answer_tokens=1)
RMS = NormAttributes(epsilon=1e-5)
CENTRED = replace(RMS, centred=True)
Tiny = Callable[..., ModelSpec]


def builder(model: ModelSpec, norm: NormAttributes = RMS, **more: bool) -> BlockBuilder:
    transformer = Transformer(model=model, formats=None, rows=ROWS, norm=norm, **more)
    return BlockBuilder(transformer, "part")


def shapes(block: Block) -> dict[str, tuple[int, int]]:
    return {each.name: (each.rows, each.columns) for each in block.tensors}


def last(made: BlockBuilder) -> GraphOperator:
    return made.block("").operators[-1]


def test_an_rms_norm_sums_once_and_a_layer_norm_twice(tiny: Tiny) -> None:
    for norm, sums in ((RMS, 1), (CENTRED, 2)):
        made = builder(tiny("llama"), norm)
        assert weighed_input(made) == ("part.weighed", "part.squares")
        operator = last(made)
        assert operator.function is Function.NORM_WEIGH
        assert operator.inputs == ("{residual}", "part.norm.weight")
        assert shapes(made.block("")) == {
            "part.norm.weight": (1, 12),
            **({"part.norm.bias": (1, 12)} if norm.centred else {}),
            "part.weighed": (6, 12),
            "part.squares": (6, sums),
        }


def test_answered_rows_alone_can_be_normed(tiny: Tiny) -> None:
    made = builder(tiny("llama"))
    normed = scaled_input(made, *weighed_input(made, Rows.ANSWERED), Rows.ANSWERED)
    weigh, _ = made.block("").operators
    assert weigh.attributes == replace(RMS, rows=Rows.ANSWERED)
    sizes = shapes(made.block(""))
    assert sizes["part.weighed"] == sizes[normed] == (2, 12)


def test_a_layer_norm_scales_with_its_weights_and_a_bias(tiny: Tiny) -> None:
    made = builder(tiny("llama"), RMS)
    assert scaled_input(made, "w", "s") == "part.input"
    assert last(made).inputs == ("w", "s")
    made = builder(tiny("llama"), CENTRED)
    sums = weighed_input(made)
    scaled_input(made, *sums)
    assert last(made).inputs == (*sums, "part.norm.weight", "part.norm.bias")
    _, bias = (each for each in made.block("").tensors if each.role is Role.WEIGHTS)
    assert (bias.name, bias.rows, bias.columns) == ("part.norm.bias", 1, 12)


def test_a_sum_is_with_the_residual_or_with_the_normed_input_in_its_place(
    tiny: Tiny,
) -> None:
    made = builder(tiny("llama"))
    assert reduced_output(made, "p") == "part.output"
    assert last(made).inputs == ("p", "{residual}")
    assert last(made).attributes == AddAttributes()
    made = builder(tiny("bert"), CENTRED, residual_is_normed=True)
    reduced_output(made, "p")
    assert last(made).inputs == ("p", "part.input")


def test_a_bias_comes_with_the_choice_of_experts_if_each_has_its_own(
    tiny: Tiny,
) -> None:
    made = builder(tiny("llama"))
    reduced_output(made, "p", bias="b", choice="c")
    assert last(made).inputs == ("p", "{residual}", "b", "c")
    assert last(made).attributes == AddAttributes(biased=True, chosen=True)


def test_a_sum_that_is_normed_meets_the_residual_behind_its_norm(tiny: Tiny) -> None:
    made = builder(tiny("gemma2"))
    assert reduced_output(made, "p", bias="b", post_norm=True) == "part.output"
    total, scaled = made.block("").operators
    assert (total.function, scaled.function) == (Function.ADD, Function.NORM_ADD)
    assert total.inputs == ("p", "b")
    assert total.attributes == AddAttributes(residual=False, biased=True)
    assert scaled.inputs == (
        "part.sum",
        "part.sum_squares",
        "part.post_norm.weight",
        "{residual}",
    )
    assert shapes(made.block(""))["part.sum_squares"] == (6, 1)


def test_a_layer_norm_behind_a_block_is_refused(tiny: Tiny) -> None:
    made = builder(tiny("llama"), CENTRED)
    with pytest.raises(SpecError, match="a LayerNorm of a block's output is not mod"):
        reduced_output(made, "p", post_norm=True)
