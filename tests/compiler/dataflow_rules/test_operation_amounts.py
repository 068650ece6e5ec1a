"""Amounts of the regions of operations, and what the work rule makes of them."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from chip.dataflow import Function
from chip.operator_work import Shape
from compiler.dataflow_rules.operation_amounts import OperationAmounts
from compiler.dataflow_rules.value_sizes import ValueSizes
from compiler.dataflow_rules.work import check_work
from specs.errors import VerificationError

NORM, PRODUCT, POSITION = Function.NORM_WEIGH, Function.PRODUCT, Function.POSITION
SCORES, SOFTMAX, ATTEND = Function.SCORES, Function.SOFTMAX, Function.ATTEND


def amounts_of(program: Any) -> OperationAmounts:
    task, statements = program.plan.task, program.statements
    encoder = task.model.structure.encoder
    sizes = ValueSizes(statements, task.machine.formats, encoder=encoder)
    return OperationAmounts(statements, sizes, task)


def work(program: Any) -> int:
    return check_work(program.statements, amounts_of(program), program.plan.task)


def first_of(program: Any, function: Function, operator: str = "") -> int:
    """Return the first operation of a function, of operators whose names end so."""
    statements = program.statements
    return next(
        int(each)
        for each in statements.of(function)
        if statements.name(int(each)).endswith(operator)
    )


@pytest.mark.parametrize(
    ("program", "function", "operator", "amounts"),
    [
        # Half of 32 rows of queries, and of 16 of keys and of values, with 32 columns.
        ("decoder", PRODUCT, "qkv", {"weights": 32 * 32, "macs": 32 * 32, "rows": 1}),
        # They lie side by side in a tile; gate and up take one each.
        ("decoder", PRODUCT, "qkv", {"tiles": 1}),
        ("decoder", PRODUCT, "gate_up", {"weights": 2 * 32 * 32, "made": 2 * 32}),
        ("decoder", PRODUCT, "gate_up", {"tiles": 2}),
        # 330 columns of gate and of up take two tiles of 320 each, as 330 rows do.
        ("tiles", PRODUCT, "gate_up", {"weights": 32 * 660, "tiles": 4}),
        ("tiles", PRODUCT, "down", {"weights": 32 * 330, "tiles": 2}),
        ("decoder", PRODUCT, "down", {"weights": 32 * 32, "made": 32}),
        # An encoder computes all of 16 positions.
        ("encoder", PRODUCT, "up", {"weights": 32 * 32, "macs": 16 * 32 * 32}),
        ("encoder", PRODUCT, "pool", {"weights": 16 * 32, "macs": 16 * 32, "rows": 1}),
        # A token and both of its experts meet in one group at worst.
        (
            "experts",
            PRODUCT,
            "gate_up",
            {
                "weights": 2 * (2 * 32 * 32),
                "macs": 2 * (2 * 32 * 32),
                "pairs": 2,
                "tiles": 2 * 2,
            },
        ),
        ("experts", PRODUCT, "down", {"weights": 2 * (32 * 32), "pairs": 2}),
        ("experts", PRODUCT, "down", {"tiles": 2}),
        ("experts", Function.ROUTER, "router", {"weights": 4 * 8, "macs": 4 * 8}),
        ("experts", Function.ACTIVATE, "activate", {"elements": 2 * 32, "made": 32}),
        # Two query heads share the keys of one of 8 rows, of 16 positions.
        (
            "decoder",
            SCORES,
            "scores",
            {"weights": 8 * 16, "macs": 2 * 8 * 16, "scored": 2 * 16},
        ),
        # A tile is known before if it has no newest position: of 700 positions, 699.
        ("decoder", SCORES, "scores", {"tiles": 1, "known_tiles": 0}),
        ("tiles", SCORES, "scores", {"tiles": 3, "known_tiles": 2}),
        ("tiles", ATTEND, "attend", {"tiles": 3, "known_tiles": 2}),
        ("decoder", ATTEND, "attend", {"weights": 8 * 16, "macs": 2 * 8 * 16}),
        ("decoder", SOFTMAX, "softmax", {"elements": 2 * 16}),
        # Chips that share heads have half of the positions each.
        ("shared heads", SCORES, "scores", {"weights": 8 * 8, "scored": 2 * 8}),
        ("shared heads", SOFTMAX, "softmax", {"elements": 2 * 8}),
        # In an encoder each of 16 positions attends to all.
        ("encoder", SCORES, "scores", {"weights": 2 * 8 * 16, "scored": 2 * 16 * 16}),
        # A tile for each of two heads, all of it new.
        ("encoder", SCORES, "scores", {"tiles": 2, "known_tiles": 0}),
        # 16 rows of queries and 8 of keys; values pass as they are.
        ("decoder", POSITION, "position", {"elements": 16 + 8, "made": 16 + 8 + 8}),
        # Sums of squares come beside the weighed columns.
        ("decoder", NORM, "attention.norm", {"elements": 16, "made": 16}),
        ("encoder", NORM, "head.norm", {"elements": 16 * 16}),
        ("grid", Function.SUM_SCALE, "scale", {"elements": 2 * 16}),
        ("decoder", Function.CANDIDATE, "candidate", {"elements": 32, "made": 1}),
        ("decoder", Function.SAMPLE, "sample", {"elements": 2}),
        ("decoder", Function.LOOKUP, "lookup", {"read_bytes": 16, "elements": 0}),
        # A row of the table of positions, and one of token types, for each token.
        ("wide", Function.LOOKUP, "lookup", {"read_bytes": 2 * 16}),
        ("encoder", Function.LOOKUP, "lookup", {"read_bytes": 16 * 3 * 16}),
    ],
)
def test_an_operation_has_the_amounts_of_its_regions(
    stated: Callable[[str], Any],
    program: str,
    function: Function,
    operator: str,
    amounts: dict[str, int],
) -> None:
    found = amounts_of(stated(program))
    own = first_of(stated(program), function, operator)
    assert {name: int(getattr(found, name)[own]) for name in amounts} == amounts


def test_a_later_part_of_a_table_has_no_rows_of_other_tables(
    stated: Callable[[str], Any],
) -> None:
    program = stated("cut")
    own = program.statements.of(Function.LOOKUP)
    # 16 columns of one byte on each of two chips of a stage.
    assert amounts_of(program).read_bytes[own].tolist() == [32, 32, 16, 16]


PROGRAMS = (
    *("decoder", "shared heads", "grid", "biases", "head norms", "post norms"),
    *("cut", "cut in two", "encoder", "experts", "tiles"),
)


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_does_the_work_of_its_regions(
    stated: Callable[[str], Any], program: str
) -> None:
    assert work(stated(program)) == len(stated(program).flow.operations)


@pytest.mark.parametrize(
    ("program", "edit", "why"),
    [
        (
            "decoder",
            ("reads", PRODUCT, "query.weight", {"last": -1}),
            "multiplies more or less than its regions",
        ),
        (
            "decoder",
            ("reads", PRODUCT, "down.weight", {"part_last": -1}),
            "multiplies more or less than its regions",
        ),
        (
            "decoder",
            ("writes", SCORES, "scores", {"last": 1}),
            "multiplies more or less than its regions",
        ),
        (
            "decoder",
            ("writes", POSITION, "queries", {"last": 1}),
            "takes fewer elements than its regions have",
        ),
        (
            "decoder",
            ("reads", Function.CANDIDATE, "logits", {"last": 1}),
            "takes fewer elements than its regions have",
        ),
        (
            "wide",
            ("reads", Function.LOOKUP, "embedding.weight", {"part_last": 1}),
            "looks up less than its regions",
        ),
    ],
)
def test_regions_of_more_than_the_instruction_does_are_refused(
    refusal: Callable[..., str], program: str, edit: Any, why: str
) -> None:
    assert refusal(work, program, edit) == why


LESS, FEW = "takes fewer elements than its regions have", "reads fewer vectors at once"
SHORT = "does fewer operations than its terms take"
REDUCES = "reduces fewer vectors over the lanes"
TILES = "takes fewer tiles than its matrices have"
MULTIPLIES = "multiplies more or less than its regions"
MODE = ".* or multiplies in another mode"
AHEAD = "loads ahead what is not known yet"


@pytest.mark.parametrize(
    ("program", "function", "fields", "why"),
    [
        ("decoder", NORM, {"elements": 15}, LESS),
        ("decoder", SOFTMAX, {"passes": 2}, "takes fewer passes over what it reads"),
        ("decoder", Function.SAMPLE, {"passes": 1}, "takes fewer passes over what"),
        ("decoder", SOFTMAX, {"element_bits": 8}, "takes elements of fewer bits"),
        ("decoder", POSITION, {"operands": 3}, FEW),
        # Two partial sums and the residual, and for each term but one an addition.
        ("decoder", Function.ADD, {"operands": 2}, FEW),
        ("decoder", Function.ADD, {"operations": 1}, SHORT),
        ("decoder", NORM, {"operations": 0}, FEW),
        ("wide", Function.ADD, {"operations": 2}, SHORT),
        ("wide", Function.ADD_TABLES, {"operands": 1}, FEW),
        ("shared heads", Function.COMBINE, {"operands": 1}, FEW),
        # A normed sum times its weights, and the residual.
        ("post norms", Function.NORM_ADD, {"operands": 2}, FEW),
        (
            "decoder",
            POSITION,
            {"reorders": False},
            "does not exchange the halves of the heads that it rotates",
        ),
        (
            "wide",
            Function.LOOKUP,
            {"stored_bytes": 16},
            "looks up less than its regions",
        ),
        # The largest score, and the sum; of a token, one for each of two experts.
        ("decoder", SOFTMAX, {"reductions": 1}, REDUCES),
        ("experts", Function.CHOOSE, {"reductions": 1}, REDUCES),
        ("decoder", NORM, {"reductions": 0}, REDUCES),
        ("head norms", Function.HEAD_NORM, {"reductions": 0}, REDUCES),
        ("decoder", Function.CANDIDATE, {"reductions": 0}, REDUCES),
        ("decoder", Function.SAMPLE, {"reductions": 0}, REDUCES),
        # A row of 16 elements, or 16 rows.
        ("decoder", NORM, {"vectors": 0}, "has more vectors than rows, or none"),
        ("decoder", NORM, {"vectors": 2}, "has more vectors than rows, or none"),
        ("encoder", NORM, {"vectors": 17}, "has more vectors than rows, or none"),
        # Of as many elements: gate and up side by side, and matrices of another width.
        ("tiles", "gate_up", {"shape": Shape((32,), (660,))}, TILES),
        ("tiles", SCORES, {"shape": Shape((16,), (350,))}, TILES),
        ("tiles", ATTEND, {"shape": Shape((350,), (16,))}, TILES),
        ("decoder", SCORES, {"rows": 1}, MULTIPLIES),
        ("decoder", PRODUCT, {"shape": Shape((32,), (31,))}, MULTIPLIES),
        ("decoder", PRODUCT, {"stored_bytes": 1023}, "reads fewer bytes than its matr"),
        ("decoder", PRODUCT, {"input_bytes": 63}, "moves fewer bytes than its vectors"),
        ("decoder", PRODUCT, {"output_bytes": 63}, "moves fewer bytes than its vect"),
        # Weights are FP8 and activations FP16, as keys are.
        ("decoder", PRODUCT, {"operand_bytes": 1}, MODE),
        ("decoder", SCORES, {"operand_bytes": 1}, MODE),
        ("decoder", ATTEND, {"operand_bytes": 4}, MODE),
        # Two tiles of the older positions are a round, and the newest is in another.
        ("decoder", SCORES, {"ready_rounds": 1}, AHEAD),
        ("tiles", SCORES, {"ready_rounds": 2}, AHEAD),
        ("tiles", ATTEND, {"ready_rounds": 2}, AHEAD),
        ("experts", "gate_up", {"ready_rounds": 1}, AHEAD),
        ("experts", "down", {"ready_rounds": 1}, AHEAD),
    ],
)
def test_an_instruction_of_less_work_is_refused(
    stated: Callable[[str], Any],
    program: str,
    function: Function | str,
    fields: dict[str, Any],
    why: str,
) -> None:
    valid = stated(program)
    if isinstance(function, str):
        own = first_of(valid, PRODUCT, function)
    else:
        own = first_of(valid, function)
    where = f"{valid.statements.name(own)} on chip 0 .*columns 0 to .*: {why}"
    with pytest.raises(VerificationError, match=where):
        work(valid.working(own, **fields))


def test_a_token_adds_the_biases_of_its_own_experts(
    stated: Callable[[str], Any],
) -> None:
    program = stated("experts")
    statements = program.statements
    own = next(
        int(each)
        for each in statements.of(Function.ADD)
        if "feed_forward" in statements.name(int(each))
    )
    code, table = program.program.instructions, program.flow.operations
    rows = np.flatnonzero(
        (code.operator == table.operator[own]) & (code.chip == 0) & (code.kind >= 0)
    )
    operands = program.program.kinds[int(code.kind[rows[0]])].work.operands
    # Four partial sums, the residual and the biases of two experts.
    assert operands == 4 + 1 + 2
    with pytest.raises(VerificationError, match=r"ward\.reduce .* fewer vectors"):
        work(program.working(own, operands=6))
