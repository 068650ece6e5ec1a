"""Amounts of latent attention: 2 heads of a chip, 16 positions or 700."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from chip.dataflow import Function
from compiler.dataflow_rules.latent.amounts import (
    LATENT_PRODUCTS,
    LatentAmounts,
    latent_amounts,
    latent_elements,
)
from compiler.dataflow_rules.latent.functions import latent_sizes
from compiler.dataflow_rules.operation_amounts import OperationAmounts
from compiler.dataflow_rules.value_sizes import ValueSizes
from compiler.dataflow_rules.work import check_work
from specs.errors import VerificationError

Stated = Callable[[str], Any]
ABSORB, EXPAND, VALUES = Function.ABSORB, Function.EXPAND, Function.EXPAND_VALUES
SCORES, ATTEND, SOFTMAX = Function.SCORES, Function.ATTEND, Function.SOFTMAX


def all_amounts(program: Any) -> OperationAmounts:
    task, statements = program.plan.task, program.statements
    sizes = ValueSizes(statements, task.machine.formats, encoder=False)
    return OperationAmounts(statements, sizes, task)


def found(program: Any) -> dict[Function, LatentAmounts]:
    statements = program.statements
    sizes = latent_sizes(statements)
    assert sizes is not None
    rows = all_amounts(program).rows
    amounts = latent_amounts(statements, sizes, rows, program.plan.task)
    return dict(zip((*LATENT_PRODUCTS, SOFTMAX), amounts, strict=True))


@pytest.mark.parametrize(
    ("program", "function", "weights", "rows"),
    [
        # 6 plain columns of each head to 10 of the latent.
        ("absorbed", ABSORB, 2 * 6 * 10, 1),
        # 700 positions of 14 columns, which both heads multiply.
        ("absorbed", SCORES, 700 * 14, 2),
        ("absorbed", ATTEND, 700 * 10, 2),
        ("absorbed", VALUES, 2 * 10 * 5, 1),
        # 11 columns of each are made of all 16 positions.
        ("expanded", EXPAND, 2 * 11 * 10, 16),
        # Each head has keys of 10 columns, and values of 5, of its own.
        ("expanded", SCORES, 2 * 16 * 10, 1),
        ("expanded", ATTEND, 2 * 16 * 5, 1),
    ],
)
def test_products_are_of_latents_or_of_what_is_made_of_them(
    stated: Stated, program: str, function: Function, weights: int, rows: int
) -> None:
    amounts = found(stated(program))[function]
    assert amounts.weights.tolist() == [weights] * 2
    assert amounts.rows.tolist() == [rows] * 2
    is_made = program == "expanded" and function in (SCORES, ATTEND)
    assert amounts.is_made.tolist() == [is_made] * 2


def test_each_head_scores_each_position(stated: Stated) -> None:
    assert found(stated("absorbed"))[SOFTMAX].scored.tolist() == [2 * 700] * 2
    assert found(stated("expanded"))[SCORES].scored.tolist() == [2 * 16] * 2


def test_a_norm_passes_the_key_and_a_rotation_all_that_is_not_rotated(
    stated: Stated,
) -> None:
    statements = stated("absorbed").statements
    (_, normed), (_, rotated) = latent_elements(statements)
    # Latents of 12 and 10 columns; 4 columns of 2 heads and of the key.
    assert normed.tolist() == [12 + 10] * 2
    assert rotated.tolist() == [(2 + 1) * 4] * 2
    assert latent_elements(stated("decoder").statements) == ()


@pytest.mark.parametrize(
    ("program", "function", "work", "why"),
    [
        ("absorbed", ABSORB, {"rows": 2}, "multiplies more or less than its regions"),
        ("absorbed", SCORES, {"rows": 1}, "multiplies more or less than its regions"),
        ("absorbed", VALUES, {"stored_bytes": 1}, "reads fewer bytes than its matrix"),
        ("absorbed", ATTEND, {"ready_rounds": 2}, "loads ahead what is not known yet"),
        ("expanded", SCORES, {"ready_rounds": 1}, "loads ahead what is not known yet"),
        ("expanded", EXPAND, {"input_bytes": 1}, "moves fewer bytes than its vectors"),
        ("expanded", EXPAND, {"output_bytes": 1}, "moves fewer bytes than its vectors"),
        ("absorbed", Function.LATENT_NORM, {"passes": 1}, "takes fewer passes"),
        ("absorbed", Function.LATENT_NORM, {"reductions": 1}, "reduces fewer vectors"),
        ("absorbed", Function.LATENT_NORM, {"elements": 21}, "takes fewer elements"),
    ],
)
def test_less_work_than_latent_attention_takes_is_refused(
    stated: Stated, program: str, function: Function, work: dict[str, int], why: str
) -> None:
    valid = stated(program)
    task = valid.plan.task
    assert check_work(valid.statements, all_amounts(valid), task) > 0
    operation = int(np.flatnonzero(valid.flow.operations.function == function)[0])
    other = valid.working(operation, **work)
    with pytest.raises(VerificationError, match=why):
        check_work(other.statements, all_amounts(other), task)
