"""Wider numbers take more memory and more time."""

import pytest

from sharding.operators.operators import Compute, Unit
from sharding.partition.block_operators import block_operators
from sharding.weights.blocks import Block, BlockKind
from sharding.weights.task import Task
from specs.machine import load_machine
from specs.model import load_model

FEED_FORWARD = Block(BlockKind.FEED_FORWARD, 0, 0, 1, 1)


def matmul_cycles(**settings: object) -> int:
    dotted = {key.replace("__", "."): value for key, value in settings.items()}
    machine = load_machine().with_settings(dotted)
    task = Task(load_model("llama-2-7b"), machine, tensor=8, context=64, batch=1)
    return sum(
        int(operator.cycles.max())
        for operator in block_operators(task, FEED_FORWARD)
        if isinstance(operator, Compute) and operator.unit is Unit.MATMUL
    )


def test_weights_stored_in_two_bytes_are_fed_in_two() -> None:
    stored = matmul_cycles(formats__weights="fp16")
    assert stored == matmul_cycles(chip__operand_bytes=2)
    assert stored > 1.8 * matmul_cycles()


@pytest.mark.parametrize("narrow", ["int4", "int8"])
def test_narrow_weights_are_fed_as_the_machine_feeds_all(narrow: str) -> None:
    assert matmul_cycles(formats__weights=narrow) == matmul_cycles()
    two = matmul_cycles(formats__weights=narrow, chip__operand_bytes=2)
    assert two == matmul_cycles(chip__operand_bytes=2)


def test_four_bytes_take_twice_the_time_of_two() -> None:
    fill = 2 * load_machine().chip.matmul_fill_cycles
    four = matmul_cycles(formats__weights="fp32") - fill
    two = matmul_cycles(formats__weights="fp16") - fill
    assert four == pytest.approx(2 * two, abs=2)
