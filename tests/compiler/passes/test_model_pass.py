from collections.abc import Callable

import numpy as np

from compiler.ir.schedule import Schedule
from compiler.passes.model_pass import model_pass, token_return
from sharding.parallelism.strategy import Strategy
from sharding.planner.plan import plan_sharding
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
