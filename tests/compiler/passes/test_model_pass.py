from collections.abc import Callable

import numpy as np
import pytest

from compiler.ir.schedule import Schedule
from compiler.passes.model_pass import block_scope, model_pass, token_return
from sharding.parallelism.strategy import Strategy
from sharding.planner.plan import plan_sharding
from sharding.weights.blocks import Block, BlockKind
from sharding.weights.task import Task
from specs.machine import load_machine
from specs.model import load_model

Compile = Callable[..., Schedule]


def test_each_member_of_a_stage_sends_its_shard_to_its_partner(
    compiled: Compile,
) -> None:
    planned = model_pass(compiled(2, 3).plan)
    first, second, _ = planned.stages
    # Half of 64 activations of two bytes.
    assert list(planned.transfer(first, second)) == [(0, 2, 64), (1, 3, 64)]


def test_the_first_chip_of_the_last_stage_sends_the_token_to_all_of_the_first(
    compiled: Compile,
) -> None:
    ends = [message[:2] for message in token_return(compiled(2, 3).plan)]
    assert ends == [(4, 0), (4, 1)]


def test_a_chip_does_not_return_a_token_to_itself(compiled: Compile) -> None:
    assert [message[:2] for message in token_return(compiled(2, 1).plan)] == [(0, 1)]
    assert len(token_return(compiled(1, 1).plan)) == 0


def test_an_encoder_returns_no_token() -> None:
    strategy = Strategy(tensor=2, pipeline=2)
    task = Task(load_model("bert-base"), load_machine(), 2, 128, 1)
    assert len(token_return(plan_sharding(task, strategy, np.arange(4)))) == 0


@pytest.mark.parametrize(
    ("kind", "layer", "before"),
    [
        (BlockKind.EMBEDDING, -1, ""),
        (BlockKind.ATTENTION, 0, "embedding.output"),
        (BlockKind.ATTENTION, 3, "layers.2.feed_forward.output"),
        (BlockKind.FEED_FORWARD, 3, "layers.3.attention.output"),
        (BlockKind.HEAD, 12, "layers.11.feed_forward.output"),
    ],
)
def test_the_residual_of_a_block_is_what_the_block_before_it_makes(
    kind: BlockKind, layer: int, before: str
) -> None:
    task = Task(load_model("gpt2"), load_machine(), 2, 128, 1)
    scope = block_scope(task, Block(kind, layer, 0, 1, 1), 7, received=False)
    assert (scope.layer, scope.residual, scope.number) == (layer, before, 7)


def test_only_the_head_of_a_decoder_goes_without_what_is_not_answered() -> None:
    decoder, encoder = (
        Task(load_model(name), load_machine(), 2, 128, 1)
        for name in ("gpt2", "bert-base")
    )
    head = Block(BlockKind.HEAD, 12, 0, 1, 1)
    attention = Block(BlockKind.ATTENTION, 3, 0, 1, 1)
    # What a stage begins with has been cut to the answered rows if it is the head.
    received = [
        block_scope(decoder, block, 0, received=True).received
        for block in (head, attention)
    ]
    assert received == [True, False]
    assert not block_scope(decoder, head, 0, received=False).received
    assert block_scope(decoder, head, 0, received=True).answers
    assert not block_scope(encoder, head, 0, received=True).answers
