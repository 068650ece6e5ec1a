from collections.abc import Callable

from specs.graph import Role
from specs.model import ModelSpec
from workloads.attributes import NormAttributes
from workloads.operators import Function, TokenRows
from workloads.transformer.block_builder import BlockBuilder, Transformer

ROWS = TokenRows(batch=2, context=5, query_tokens=3, answer_tokens=1)


def builder(model: ModelSpec, *layers: int) -> BlockBuilder:
    norm = NormAttributes(epsilon=0)
    transformer = Transformer(model=model, formats=None, rows=ROWS, norm=norm)
    return BlockBuilder(transformer, "part", layers)


def test_names_begin_with_the_layer_and_the_part(
    tiny: Callable[..., ModelSpec],
) -> None:
    assert builder(tiny("llama")).name("x") == "part.x"
    assert builder(tiny("llama"), 0, 1).name("x") == "layers.{layer}.part.x"


def test_an_operator_declares_its_results(tiny: Callable[..., ModelSpec]) -> None:
    made = builder(tiny("llama"))
    first = made.input("tokens")
    names = made.operator("go", Function.SAMPLE, [first], {"a": 3, "b": 4}, rows=7)
    block = made.block(names[1])
    assert names == ("part.a", "part.b")
    assert [(t.name, t.rows, t.columns, t.role) for t in block.tensors] == [
        ("tokens", 6, 1, Role.INPUT),
        ("part.a", 7, 3, Role.ACTIVATION),
        ("part.b", 7, 4, Role.ACTIVATION),
    ]
    assert block.operators[0].inputs == ("tokens",)
    assert (block.hands_on, block.layers) == ("part.b", ())
