"""Wider numbers take more memory, and more time if the mode of the MXM is another."""

import pytest

from chip.operator_work import ProductWork
from sharding.operators.operators import Compute, Unit
from sharding.partition.block_operators import block_operators
from sharding.weights.blocks import Block, BlockKind
from sharding.weights.task import Task
from specs.machine import load_machine
from specs.model import load_model

FEED_FORWARD = Block(BlockKind.FEED_FORWARD, 0, 0, 1, 1)
FILL = load_machine().chip.matmul_fill_cycles


def products(**settings: object) -> list[Compute]:
    dotted = {key.replace("__", "."): value for key, value in settings.items()}
    machine = load_machine().with_settings(dotted)
    task = Task(load_model("llama-2-7b"), machine, tensor=8, context=64, batch=1)
    return [
        operator
        for operator in block_operators(task, FEED_FORWARD)
        if isinstance(operator, Compute) and operator.unit is Unit.MATMUL
    ]


def matmul_cycles(**settings: object) -> int:
    return sum(int(each.cycles.max()) for each in products(**settings))


def stored_bytes(**settings: object) -> int:
    works = [each.works[0] for each in products(**settings)]
    return sum(work.stored_bytes for work in works if isinstance(work, ProductWork))


def test_a_product_takes_the_mode_of_its_wider_operand() -> None:
    # A chip has 4,096 x 1,376 of gate and of up: 13 x 5 tiles of 320 each, 130; and
    # 65 tiles of down. A round loads in 40 cycles and takes 12 beside. In FP16 mode it
    # is two tiles and a row takes two cycles; in INT8 mode four tiles, and one.
    fp16 = 2 * FILL + (65 + 33) * (52 + 2)
    int8 = 2 * FILL + (33 + 17) * (52 + 1)
    assert matmul_cycles(formats__activations="fp16") == fp16
    assert matmul_cycles(formats__activations="fp8", formats__weights="fp8") == int8
    assert matmul_cycles(formats__activations="fp8", formats__weights="fp16") == fp16
    # A setting is a mode for all products.
    assert matmul_cycles(chip__operand_bytes=1) == int8
    assert matmul_cycles(formats__activations="fp8", chip__operand_bytes=2) == fp16


@pytest.mark.parametrize(
    ("stored", "bits"), [("int4", 4), ("int8", 8), ("fp16", 16), ("fp32", 32)]
)
def test_stored_weights_take_memory_but_no_time_up_to_the_width_of_their_mode(
    stored: str, bits: int
) -> None:
    # Three matrices of 4,096 x 1,376.
    assert 8 * stored_bytes(formats__weights=stored) == bits * 3 * 4096 * 1376
    if bits <= 16:
        assert matmul_cycles(formats__weights=stored) == matmul_cycles()
