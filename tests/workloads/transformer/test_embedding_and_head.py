from collections.abc import Callable

from specs.graph import Role
from specs.model import ModelSpec
from workloads.attributes import NormAttributes, Rows
from workloads.operator_graph import Block
from workloads.operators import TokenRows
from workloads.transformer.block_builder import Transformer
from workloads.transformer.embedding_and_head import embedding, head, pooler

# Six rows, of which two are answered.
ROWS = TokenRows(batch=2, context=5, query_tokens=3, answer_tokens=1)
Tiny = Callable[..., ModelSpec]


def of(model: ModelSpec) -> Transformer:
    norm = NormAttributes(epsilon=0, centred=model.structure.layer_norms)
    return Transformer(model=model, formats=None, rows=ROWS, norm=norm)


def shapes(block: Block, *roles: Role) -> dict[str, tuple[int, int]]:
    return {
        each.name: (each.rows, each.columns)
        for each in block.tensors
        if each.role in roles
    }


def test_an_embedding_looks_up_a_row_for_each_token(tiny: Tiny) -> None:
    block = embedding(of(tiny("llama")))
    assert shapes(block, *Role) == {
        "embedding.weight": (23, 12),
        "tokens": (6, 1),
        "embedding.output": (6, 12),
    }
    assert (block.hands_on, block.layers) == ("embedding.output", ())


def test_an_encoder_adds_rows_of_positions_and_of_token_types(tiny: Tiny) -> None:
    block = embedding(of(tiny("bert")))
    assert shapes(block, Role.WEIGHTS) == {
        "embedding.weight": (23, 12),
        "embedding.positions.weight": (32, 12),
        "embedding.token_types.weight": (2, 12),
    }
    lookup, tables = block.operators
    assert tables.inputs == (
        lookup.outputs[0],
        "embedding.positions.weight",
        "embedding.token_types.weight",
    )


def test_a_head_computes_the_answered_rows_alone(tiny: Tiny) -> None:
    block = head(of(tiny("llama")))
    assert shapes(block, Role.ACTIVATION, Role.OUTPUT) == {
        "head.weighed": (2, 12),
        "head.squares": (2, 1),
        "head.input": (2, 12),
        "head.logits": (2, 23),
        "head.candidates": (2, 2),
        "head.token": (2, 1),
    }
    assert shapes(block, Role.WEIGHTS)["head.weight"] == (23, 12)
    norm = block.operators[0].attributes_as(NormAttributes)
    assert norm.rows is Rows.ANSWERED


def test_a_tied_head_copies_the_embedding(tiny: Tiny) -> None:
    for tied in (False, True):
        block = head(of(tiny("llama", tie_word_embeddings=tied)))
        (matrix,) = (each for each in block.tensors if each.name == "head.weight")
        assert matrix.copy_of == ("embedding.weight" if tied else None)


def test_a_pooler_norms_all_rows_and_projects_one_of_each_sequence(tiny: Tiny) -> None:
    block = pooler(of(tiny("bert")))
    made = shapes(block, Role.ACTIVATION, Role.OUTPUT)
    assert made["head.input"] == (6, 12)
    assert made["head.projected"] == made["head.pooled"] == (2, 12)
    assert shapes(block, Role.WEIGHTS)["head.bias"] == (1, 12)
    assert block.hands_on == "head.pooled"
