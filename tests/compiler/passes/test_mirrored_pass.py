"""Pass of a plan with mirrored caches: new keys and values travel along."""

from collections.abc import Callable

import numpy as np

from compiler.ir.schedule import Schedule
from compiler.passes.model_pass import model_pass

Compile = Callable[..., Schedule]


def test_transfers_carry_what_the_stage_before_has_made(compiled: Compile) -> None:
    plain, mirrored = (
        model_pass(compiled(2, 3, failover__kv_cache=kind).plan)
        for kind in ("recompute", "mirrored")
    )
    added = [
        int(
            mirrored.transfer(*pair).payload_bytes.sum()
            - plain.transfer(*own).payload_bytes.sum()
        )
        for pair, own in (
            (mirrored.stages[at : at + 2], plain.stages[at : at + 2]) for at in (0, 1)
        )
    ]
    # The first stage has the attention of layer 0, the second that of layer 1: two
    # heads of 16 keys and 16 values in FP16.
    assert added == [2 * 16 * 2 * 2] * 2
    # The last stage has none, so that the token returns alone.
    assert np.array_equal(mirrored.returned.payload_bytes, plain.returned.payload_bytes)


def test_the_last_stage_is_mirrored_with_the_token(compiled: Compile) -> None:
    plain, mirrored = (
        compiled(8, 2, failover__kv_cache=kind) for kind in ("recompute", "mirrored")
    )
    one, other = model_pass(plain.plan).returned, model_pass(mirrored.plan).returned
    ways = set(zip(other.source.tolist(), other.target.tolist(), strict=True))
    assert len(ways) == len(other)
    last, first = (mirrored.plan.stages[at].chips.tolist() for at in (-1, 0))
    assert set(zip(last, first, strict=True)) <= ways
    assert other.payload_bytes.sum() > one.payload_bytes.sum()
    # It costs a token time, and no more than another hop.
    longer = mirrored.program.token_cycles - plain.program.token_cycles
    assert 0 < longer < 2 * 650
