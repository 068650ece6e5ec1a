"""What the rules of sums refuse: one statement of a valid program is altered."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from chip.dataflow import Function
from compiler.dataflow_rules.sum_functions import SUM_RULES, terms_of_sums
from experiments.sabotage.program_edits import with_rows
from specs.errors import VerificationError

ADD, SCALED, PARTIAL = Function.ADD, Function.SUM_SCALE, Function.PARTIAL_SUM

FEWER, LATER = {"last": -1}, {"first": 1}
FEWER_PARTS, LATER_PARTS = {"part_last": -1}, {"part_first": 1}

ONCE = "does not add all partial sums once"
COLUMNS = "adds partial sums of other columns than it makes"
RESIDUAL = "does not add the residual or the bias once"
BEFORE = "goes on with a sum of other columns or without its first terms"
SQUARES = "does not sum the squares of what it makes"
FACTOR = "takes a norm's factor before the sums of all its columns are there"


@pytest.mark.parametrize(
    ("program", "function", "count"),
    [
        ("decoder", ADD, 2 * 2),
        ("post norms", ADD, 2 * 2),
        ("wide", ADD, 2 * 2),
        ("experts", ADD, 4 * 2),
        # Attention, and each of two parts of the feed-forward.
        ("cut in two", ADD, 2 * 3),
        ("grid", ADD, 4 * 2),
        ("grid", SCALED, 4),
    ],
)
def test_sums_of_all_parts_pass(
    followed: Callable[..., int], program: str, function: Function, count: int
) -> None:
    assert followed(program, function) == count


@pytest.mark.parametrize(
    ("program", "edits", "why"),
    [
        ("decoder", [("reads", ADD, "partial", FEWER)], COLUMNS),
        ("decoder", [("reads", ADD, "partial", LATER)], COLUMNS),
        ("decoder", [("reads", ADD, "partial", {"first": 16, "last": 16})], COLUMNS),
        ("decoder", [("reads", ADD, "partial", FEWER_PARTS)], ONCE),
        ("decoder", [("reads", ADD, "partial", LATER_PARTS)], ONCE),
        ("decoder", [("reads", ADD, "partial", None)], ONCE),
        # A part that is read in another one's place is added twice.
        ("decoder", [("reads", ADD, "partial", {"part_last": 16})], ONCE),
        ("experts", [("reads", ADD, "partial", FEWER_PARTS)], ONCE),
        (
            "decoder",
            [("writes", ADD, "output", None)],
            "makes no result, or more than one",
        ),
        ("decoder", [("writes", ADD, "output", {"part_first": 1})], BEFORE),
        ("decoder", [("reads", ADD, "embedding.output", None)], RESIDUAL),
        ("decoder", [("reads", ADD, "embedding.output", FEWER)], RESIDUAL),
        ("decoder", [("reads", ADD, "embedding.output", {"part_last": 1})], RESIDUAL),
        ("wide", [("reads", ADD, "output.bias", None)], RESIDUAL),
        ("wide", [("reads", ADD, "down.bias", LATER)], RESIDUAL),
        ("experts", [("reads", ADD, "down.bias", None)], RESIDUAL),
        ("experts", [("reads", ADD, "down.bias", FEWER)], RESIDUAL),
        ("experts", [("reads", ADD, "down.bias", FEWER_PARTS)], RESIDUAL),
        ("experts", [("reads", ADD, "down.bias", LATER_PARTS)], RESIDUAL),
        ("experts", [("reads", ADD, "choice", None)], RESIDUAL),
        ("experts", [("reads", ADD, "choice", LATER)], RESIDUAL),
        ("experts", [("reads", ADD, "choice", {"part_last": 1})], RESIDUAL),
        ("post norms", [("writes", ADD, "sum_squares", None)], SQUARES),
        ("post norms", [("writes", ADD, "sum_squares", FEWER_PARTS)], SQUARES),
        ("post norms", [("writes", ADD, "sum_squares", {"last": 1})], SQUARES),
        ("decoder", [("writes", ADD, "output", ["sum_squares"])], SQUARES),
    ],
)
def test_a_sum_that_lacks_a_term_or_has_one_twice_is_refused(
    unfounded: Callable[..., str], program: str, edits: list[Any], why: str
) -> None:
    assert unfounded(program, *edits) == why


@pytest.mark.parametrize(
    ("edit", "why"),
    [
        # The second part begins where the first has ended.
        (("reads", ADD, "output@1", FEWER_PARTS), ONCE),
        (("reads", ADD, "output@1", LATER_PARTS), BEFORE),
        (("reads", ADD, "output@1", FEWER), BEFORE),
        (("reads", ADD, "output@1", None), ONCE),
        (("writes", ADD, "output@1", FEWER_PARTS), ONCE),
        # It has the residual already.
        (("reads", ADD, "output@1", ["attention.output"]), RESIDUAL),
    ],
)
def test_a_later_part_of_a_sum_goes_on_where_the_last_has_ended(
    unfounded: Callable[..., str], edit: Any, why: str
) -> None:
    if edit[3] == ["attention.output"]:
        edit = (*edit[:2], "feed_forward.output@1", edit[3])
    assert unfounded("cut in two", edit) == why


@pytest.mark.parametrize(
    ("edits", "why"),
    [
        ([("reads", SCALED, "unscaled_gate", FEWER)], ONCE),
        ([("reads", SCALED, "unscaled_gate", FEWER_PARTS)], ONCE),
        ([("reads", SCALED, "unscaled_up", LATER_PARTS)], ONCE),
        ([("reads", SCALED, "unscaled_up", None)], ONCE),
        ([("writes", SCALED, "gate", None)], ONCE),
        (
            [
                (table, SCALED, f"{name}{gate}", None)
                for gate in ("gate", "up")
                for table, name in (("reads", "unscaled_"), ("writes", ""))
            ],
            "makes nothing",
        ),
        ([("reads", SCALED, "squares", LATER_PARTS)], FACTOR),
        ([("reads", SCALED, "squares", FEWER_PARTS)], FACTOR),
        ([("reads", SCALED, "squares", {"last": 1})], FACTOR),
        ([("reads", SCALED, "squares", None)], FACTOR),
    ],
)
def test_a_scaled_sum_has_all_parts_and_the_factor_of_all_columns(
    unfounded: Callable[..., str], edits: list[Any], why: str
) -> None:
    assert unfounded("grid", *edits) == why


def test_a_partial_sum_makes_the_parts_that_it_reads(
    stated: Callable[[str], Any],
) -> None:
    program = stated("decoder")
    table = program.flow.operations
    (own,) = np.flatnonzero(table.function == Function.SAMPLE)
    # It would read the candidates and make the token.
    summed = program.stating(
        operations=with_rows(table, int(own), function=int(PARTIAL))
    )
    with pytest.raises(VerificationError, match=r"head\.sample .*adds other parts"):
        SUM_RULES[PARTIAL](summed.statements, np.array([own]))
    reads = np.flatnonzero(program.flow.reads.owner == own)
    made = int(np.flatnonzero(program.flow.writes.owner == own)[0])
    same = {
        name: getattr(program.flow.reads, name)[reads[0]]
        for name in ("value", "first", "last", "part_first", "part_last")
    }
    copied = summed.stating(writes=with_rows(program.flow.writes, made, **same))
    assert SUM_RULES[PARTIAL](copied.statements, np.array([own])) == 1
    later = {**same, "part_first": 1, "part_last": 2}
    moved = summed.stating(writes=with_rows(program.flow.writes, made, **later))
    with pytest.raises(VerificationError, match=r"head\.sample .*adds other parts"):
        SUM_RULES[PARTIAL](moved.statements, np.array([own]))


@pytest.mark.parametrize(
    ("program", "chosen", "operator", "terms"),
    [
        # 16 columns on each of two chips: two partial sums and the residual.
        ("decoder", 1, "feed_forward.reduce", 3 * 16),
        # The bias besides.
        ("wide", 1, "feed_forward.reduce", 4 * 16),
        # Eight columns: four partial sums, the residual, and biases of two experts.
        ("experts", 2, "feed_forward.reduce", (4 + 1 + 2) * 8),
        # Two chips of a grid column share 32 columns of gate and of up.
        ("grid", 1, "feed_forward.scale", 2 * 2 * 16),
        ("decoder", 1, "feed_forward.gate_up", 0),
    ],
)
def test_a_sum_has_the_terms_that_arrive_and_those_that_are_there(
    stated: Callable[[str], Any], program: str, chosen: int, operator: str, terms: int
) -> None:
    statements = stated(program).statements
    count = len(statements.flow.operations)
    own = [n for n in range(count) if statements.name(n).endswith(operator)]
    assert len(own) == stated(program).plan.strategy.chips
    for rows in (1, 3):
        found = terms_of_sums(statements, np.full(count, rows), chosen)
        assert set(found[own].tolist()) == {rows * terms}
