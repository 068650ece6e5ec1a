"""What is refused of a feed-forward that takes the same input as attention."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from chip.dataflow import Function
from compiler.dataflow_rules.functions import check_functions
from experiments.sabotage.program_edits import with_rows
from specs.errors import VerificationError

WEIGH, SCALE = Function.NORM_WEIGH, Function.NORM_SCALE


def test_a_block_that_takes_the_input_of_attention_passes(
    followed: Callable[[str, Function], int],
) -> None:
    # Attention, the block beside it, and the head, on two chips.
    assert followed("parallel blocks", WEIGH) == followed("parallel blocks", SCALE) == 6


def test_a_block_that_takes_what_attention_made_is_refused(
    stated: Callable[[str], Any],
) -> None:
    program = stated("parallel blocks")
    flow = program.flow
    names = [value.name for value in flow.values]
    operator = flow.operations.name[flow.reads.owner]
    own = operator == flow.names.index("layers.0.feed_forward.norm")
    own &= flow.reads.value == names.index("embedding.output")
    made = names.index("layers.0.attention.output")
    reads = with_rows(flow.reads, np.flatnonzero(own), value=made)
    assert own.sum() == 2
    with pytest.raises(VerificationError, match="weighs other columns than it makes"):
        check_functions(program.stating(reads=reads).statements)


def test_a_norm_without_a_bias_needs_its_weights_all_the_same(
    unfounded: Callable[..., str],
) -> None:
    edit = ("reads", SCALE, "norm.weight", None)
    assert unfounded("parallel blocks", edit) == "lacks weights or biases of the norm"
