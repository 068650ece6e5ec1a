from collections.abc import Callable

import numpy as np

from compiler.ir.schedule import Schedule
from compiler.scheduling.token_walk import stage_transfer, token_return, walk_token
from sharding.parallelism.strategy import Strategy
from sharding.planner.plan import Stage, plan_sharding
from sharding.weights.blocks import Block
from sharding.weights.task import Task
from specs.machine import load_machine
from specs.model import load_model

Compile = Callable[..., Schedule]


def test_each_member_of_a_stage_sends_its_shard_to_its_partner(
    compiled: Compile,
) -> None:
    plan = compiled(2, 3).plan
    first, second, _ = plan.stages
    # Half of 64 activations of two bytes.
    assert list(stage_transfer(plan, first, second)) == [(0, 2, 64), (1, 3, 64)]


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


class Recorded:
    """Steps that note what they are asked to do."""

    def __init__(self) -> None:
        self.steps: list[str] = []

    def block(self, stage: Stage, block: Block) -> None:
        self.steps.append(f"{stage.index} {block.kind} {block.layer}")

    def stage_transfer(self, stage: Stage, following: Stage) -> None:
        self.steps.append(f"{stage.index} to {following.index}")

    def token_return(self, stage: Stage) -> None:
        self.steps.append(f"{stage.index} returns")


def test_a_token_walks_through_the_blocks_of_its_stages_and_returns(
    compiled: Compile,
) -> None:
    plan = compiled(2, 3).plan
    recorded = Recorded()
    walk_token(plan, recorded)
    blocks = [
        f"{stage.index} {block.kind} {block.layer}"
        for stage in plan.stages
        for block in stage.blocks
    ]
    assert [step for step in recorded.steps if step in blocks] == blocks
    others = [step for step in recorded.steps if step not in blocks]
    assert others == ["0 to 1", "1 to 2", "2 returns"]
