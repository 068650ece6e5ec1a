from dataclasses import replace
from itertools import pairwise

import pytest

from specs.errors import SpecError
from specs.graph import Role
from workloads.attributes import AddAttributes, ProductAttributes
from workloads.operator_graph import Block, OperatorGraph, PlacedBlock
from workloads.operators import Function, GraphOperator, GraphTensor, TokenRows

ROWS = TokenRows(batch=2, context=5, query_tokens=3, answer_tokens=1)


def product(name: str, left: str, right: str, result: str) -> GraphOperator:
    return GraphOperator(
        name=name,
        function=Function.PRODUCT,
        inputs=(left, right),
        outputs=(result,),
        attributes=ProductAttributes(),
    )


def start(columns: int = 4) -> Block:
    return Block(
        name="start",
        tensors=(
            GraphTensor(name="x", rows=6, columns=3, role=Role.INPUT),
            GraphTensor(name="w", rows=4, columns=columns, role=Role.WEIGHTS),
            GraphTensor(name="y", rows=6, columns=4),
        ),
        operators=(product("first", "x", "w", "y"),),
        hands_on="y",
    )


def layers(*numbers: int, name: str = "middle") -> Block:
    stem = f"layers.{{layer}}.{name}"
    return Block(
        name=name,
        tensors=(
            GraphTensor(name=f"{stem}.w", rows=4, columns=4, role=Role.WEIGHTS),
            GraphTensor(name=f"{stem}.y", rows=6, columns=4),
        ),
        operators=(product(f"{stem}.go", "{residual}", f"{stem}.w", f"{stem}.y"),),
        hands_on=f"{stem}.y",
        layers=numbers,
    )


END = Block(
    name="end",
    tensors=(GraphTensor(name="z", rows=6, columns=4, role=Role.OUTPUT),),
    operators=(
        GraphOperator(
            name="last",
            function=Function.ADD,
            inputs=("y", "{residual}"),
            outputs=("z",),
            attributes=AddAttributes(),
        ),
    ),
    hands_on="z",
)


EARLY = product("early", "z", "w", "z")


def graph(*blocks: Block) -> OperatorGraph:
    return OperatorGraph(name="tiny", rows=ROWS, blocks=blocks)


def small() -> OperatorGraph:
    two = [layers(0, 2), layers(1, name="other"), layers(0, 1, 2, name="after")]
    return graph(start(3), *two, END)


def test_rows_are_counted_from_the_end_of_the_context() -> None:
    assert (ROWS.count, ROWS.answered, ROWS.first_position) == (6, 2, 2)


def test_blocks_are_repeated_layer_after_layer_each_with_the_result_before_it() -> None:
    operators = list(small().operators())
    assert [operator.name for operator in operators] == [
        "first",
        "layers.0.middle.go",
        "layers.0.after.go",
        "layers.1.other.go",
        "layers.1.after.go",
        "layers.2.middle.go",
        "layers.2.after.go",
        "last",
    ]
    assert [operator.layer for operator in operators] == [None, 0, 0, 1, 1, 2, 2, None]
    for before, after in pairwise(operators):
        assert before.outputs[0] in after.inputs


def test_a_graph_knows_its_tensors_of_all_layers() -> None:
    tiny = small()
    assert tiny.layers == 3
    assert tiny.tensor("layers.2.middle.w").role is Role.WEIGHTS
    assert len(tiny.of_role(Role.WEIGHTS)) == 1 + 6
    assert tiny.parameters == 4 * 3 + 6 * 4 * 4
    with pytest.raises(SpecError, match=r"no tensor 'layers\.1\.middle\.w'; did you"):
        tiny.tensor("layers.1.middle.w")


def test_copies_of_weights_are_no_parameters() -> None:
    end = replace(
        END,
        tensors=(
            *END.tensors,
            GraphTensor(name="c", rows=4, columns=3, role=Role.WEIGHTS, copy_of="w"),
        ),
    )
    assert graph(start(3), end).parameters == 4 * 3


def wrong_attributes() -> Block:
    return replace(END, operators=(replace(END.operators[0], attributes=None),))


def copy(rows: int, of: str) -> Block:
    tensor = GraphTensor(name="c", rows=rows, columns=3, role=Role.WEIGHTS, copy_of=of)
    return replace(END, tensors=(*END.tensors, tensor))


def with_tensor(name: str, rows: int = 6) -> Block:
    tensor = GraphTensor(name=name, rows=rows, columns=4)
    return replace(END, tensors=(*END.tensors, tensor))


def with_operator(operator: GraphOperator) -> Block:
    return replace(END, operators=(*END.operators, operator))


@pytest.mark.parametrize(
    ("blocks", "message"),
    [
        ((start(4), END), r"first: 6 x 3 times the transpose of 'w', 4 x 4, is not 6"),
        ((END, start(3)), r"block end is the first; it takes nothing on"),
        (
            (start(3), replace(END, operators=(EARLY, *END.operators))),
            r"early: 'z' is read before it is made",
        ),
        ((start(3), replace(END, tensors=())), r"last: tensor 'z' is not declared"),
        ((start(3), with_tensor("y")), r"tensor 'y' is declared twice"),
        ((start(3), with_tensor("q", rows=0)), r"tensor 'q' is empty: 0 x 4"),
        ((start(3), with_tensor("q")), r"no operator makes 'q'"),
        (
            (start(3), with_operator(product("again", "x", "w", "y"))),
            r"again: 'y' is made twice",
        ),
        (
            (start(3), with_operator(product("back", "y", "w", "x"))),
            r"back: makes 'x', which is input",
        ),
        ((start(3), wrong_attributes()), r"last: add needs AddAttributes"),
        ((start(3), copy(4, of="q")), r"'c' is no copy of 'q': .* weights of 4 x 3"),
        ((start(3), copy(5, of="w")), r"'c' is no copy of 'w': .* weights of 5 x 3"),
        ((start(3), layers(1, 0), END), r"middle: layers \(1, 0\) are not ascending"),
        (
            (start(3), replace(start(3), layers=(0, 1)), END),
            r"block start: 'x' is the same in each of 2 layers; add \{layer\}",
        ),
    ],
)
def test_a_graph_that_cannot_be_computed_is_refused(
    blocks: tuple[Block, ...], message: str
) -> None:
    with pytest.raises(SpecError, match=message):
        graph(*blocks)


def test_a_product_makes_one_result_for_each_matrix() -> None:
    first = start(3)
    operator = replace(first.operators[0], inputs=("x", "w", "w"))
    with pytest.raises(SpecError, match=r"first: 2 matrices make 1 results"):
        graph(replace(first, operators=(operator,)))


def test_a_block_in_one_of_its_layers_has_the_names_of_that_layer() -> None:
    placed = PlacedBlock(layers(0, 2), 2, "layers.1.other.y")
    assert [each.name for each in placed.tensors()] == [
        "layers.2.middle.w",
        "layers.2.middle.y",
    ]
    (operator,) = placed.operators()
    assert (operator.name, operator.layer) == ("layers.2.middle.go", 2)
    assert operator.inputs == ("layers.1.other.y", "layers.2.middle.w")
    (first,) = PlacedBlock(start(3), None, "").operators()
    assert first == start(3).operators[0]
