"""Where each tensor of a checkpoint lies in the matrices of the operator graph."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from chip.dataflow import Function
from compiler.dataflow_rules.residency import check_residency
from compiler.dataflow_rules.statements import Statements
from compiler.dataflow_rules.weights.checkpoint_tensors import Part, checkpoint_parts

ATTENTION, FEED_FORWARD = "layers.0.attention", "layers.0.feed_forward"
PROGRAMS = ("decoder", "biases", "head norms", "post norms", "wide", "encoder")


def residency(program: Any) -> int:
    return check_residency(program.statements, program.plan)


@pytest.mark.parametrize("name", [*PROGRAMS, "experts"])
def test_the_parts_of_a_matrix_are_all_of_it_once(
    stated: Callable[[str], Any], name: str
) -> None:
    program = stated(name)
    statements: Statements = program.statements
    tensors = {
        re.sub(r" \(copies\)$", "", each) for each in program.plan.slices["tensor"]
    }
    parts = checkpoint_parts(program.plan.task.model)
    assert tensors <= parts.keys()
    rows: dict[str, list[tuple[int, int, int]]] = {}
    for tensor in tensors:
        for part in parts[tensor]:
            found = rows.setdefault(part.name, [])
            found.append((part.column, part.row, part.row + part.rows))
    for matrix, found in rows.items():
        size, columns = statements.tensors[matrix]
        found.sort()
        whole = columns if size == 1 else size
        if matrix.endswith("down.weight"):
            # Experts follow each other in columns, each with all rows.
            assert {each[1:] for each in found} == {(0, size)}
            assert [each[0] for each in found] == list(range(0, columns, 64))
            continue
        ends = [0, *(last for _, _, last in found)]
        assert [first for _, first, _ in found] == ends[:-1]
        assert ends[-1] == whole


def test_a_fused_tensor_has_its_projections_below_each_other(
    stated: Callable[[str], Any],
) -> None:
    parts = checkpoint_parts(stated("wide").plan.task.model)
    fused = "transformer.h.0.attn.c_attn"
    # Queries, keys and values of four heads of eight rows.
    assert parts[f"{fused}.weight"] == tuple(
        Part(f"{ATTENTION}.{kind}.weight", begin, 32)
        for kind, begin in (("query", 0), ("key", 32), ("value", 64))
    )
    assert parts[f"{fused}.bias"][2] == Part(
        f"{ATTENTION}.value.bias", 64, 32, is_vector=True
    )


def test_each_expert_has_a_tensor_of_its_own(stated: Callable[[str], Any]) -> None:
    parts = checkpoint_parts(stated("experts").plan.task.model)
    third = "model.layers.0.block_sparse_moe.experts.2"
    # Two experts of 64 intermediate columns come before.
    assert parts[f"{third}.w1.weight"] == (
        Part(f"{FEED_FORWARD}.gate.weight", 0, 64, 128),
    )
    assert parts[f"{third}.w2.weight"] == (
        Part(f"{FEED_FORWARD}.down.weight", 0, 32, 0, 128),
    )
    assert parts[f"{third}.w2.bias"] == (Part(f"{FEED_FORWARD}.down.bias", 0, 1, 2),)
    assert parts[f"{third}.w3.bias"] == (
        Part(f"{FEED_FORWARD}.up.bias", 0, 64, 128, is_vector=True),
    )


def test_a_head_that_is_the_embedding_is_a_tensor_by_another_name(
    stated: Callable[[str], Any],
) -> None:
    model = stated("decoder").plan.task.model
    tied = checkpoint_parts(model.model_copy(update={"tied_embeddings": True}))
    assert tied["lm_head.weight (tied)"] == (Part("head.weight", 0, 64),)
    assert "lm_head.weight" not in tied
    assert "lm_head.weight" in checkpoint_parts(model)


def test_a_norm_of_the_same_name_is_that_of_the_block_which_it_follows(
    stated: Callable[[str], Any],
) -> None:
    name = "model.layers.0.post_attention_layernorm.weight"
    for program, block in (
        ("decoder", f"{FEED_FORWARD}.norm.weight"),
        ("post norms", f"{ATTENTION}.post_norm.weight"),
    ):
        parts = checkpoint_parts(stated(program).plan.task.model)
        assert parts[name] == (Part(block, 0, 32, is_vector=True),)


@pytest.mark.parametrize(
    ("program", "edit", "rows"),
    [
        (
            "decoder",
            ("reads", Function.PRODUCT, "query.weight", {"first": 16, "last": 16}),
            "16 to 31",
        ),
        (
            "wide",
            ("reads", Function.PRODUCT, "key.weight", {"first": 16, "last": 16}),
            "16 to 31",
        ),
        (
            "wide",
            ("reads", Function.BIAS, "value.bias", {"first": 16, "last": 16}),
            "16 to 31",
        ),
        (
            "head norms",
            ("reads", Function.HEAD_NORM, "query_norm.weight", {"first": 0, "last": 1}),
            "0 to 8",
        ),
        # The matrix of an expert of the other group of chips.
        (
            "experts",
            ("reads", Function.PRODUCT, "up.weight", {"first": 128, "last": 128}),
            "128 to 159",
        ),
    ],
)
def test_rows_that_the_plan_gives_to_another_chip_are_refused(
    refusal: Callable[..., str], program: str, edit: Any, rows: str
) -> None:
    why = refusal(residency, program, edit)
    assert why.startswith(f"reads rows {rows} of layers.0.")
    assert why.endswith(f".{edit[2]}, which the plan does not give it")
