import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharding.operators.operators import Compute, Exchange
from sharding.parallelism.tensor_group import FeedForwardLayout, Routing
from sharding.partition.block_operators import block_operators
from sharding.weights.blocks import Block, BlockKind
from sharding.weights.task import Task
from sharding.weights.weight_slices import block_slices
from specs.arrays import Ints
from specs.machine import load_machine
from specs.model import load_model

# A chip that takes one cycle for each byte fed to its matrix unit, and nothing else.
COUNTING = load_machine().with_settings(
    {"chip.weight_feed_bytes_per_cycle": 1, "chip.matmul_fill_cycles": 0}
)
WHOLE = Block(BlockKind.FEED_FORWARD, 0, 0, 8, 8)
INWARD = (
    "gate_proj",
    "up_proj",
    "gate_up_proj",
    "c_fc",
    "intermediate.dense",
    "w1",
    "w3",
)
OUTWARD = ("down_proj", "mlp.c_proj", "output.dense", "w2")


def cycles(task: Task, block: Block) -> dict[str, Ints]:
    operators = block_operators(task, block)
    return {each.name: each.cycles for each in operators if isinstance(each, Compute)}


def exchanges(task: Task, block: Block) -> dict[str, Exchange]:
    operators = block_operators(task, block)
    return {each.name: each for each in operators if isinstance(each, Exchange)}


def held(task: Task, block: Block, *endings: str) -> Ints:
    """Return the weights on each chip of the tensors whose names end so."""
    return sum(
        (
            part.elements
            for part in block_slices(task.model, block, task.group)
            if part.tensor.removesuffix(".weight").endswith(endings)
        ),
        np.zeros(task.tensor, dtype=np.int64),
    )


@given(task=..., first=st.integers(0, 7), data=st.data())
def test_each_chip_multiplies_what_it_holds_of_the_experts_that_have_a_place(
    task: Task, first: int, data: st.DataObject
) -> None:
    task = task._replace(machine=COUNTING, batch=1)
    part = WHOLE._replace(first=first, last=data.draw(st.integers(first + 1, 8)))
    own = task.model.experts // task.expert
    chosen = min(own, task.model.experts_per_token)
    if task.routing is Routing.BALANCED:
        chosen = min(chosen, -(-task.model.experts_per_token // task.expert))
    inward = "gate_up" if task.model.structure.gated else "up"
    multiplied = cycles(task, part)
    for name, endings in ((inward, INWARD), ("down", OUTWARD)):
        share = held(task, part, *endings) * chosen // own
        assert multiplied[name].tolist() == share.tolist()


@pytest.mark.parametrize("expert", [1, 2, 4, 8])
def test_a_batch_that_may_need_every_expert_costs_no_more_in_groups(
    expert: int,
) -> None:
    task = Task(load_model("mixtral-8x7b"), COUNTING, 8, 64, 8, expert=expert)
    assert cycles(task, WHOLE)["down"].tolist() == [4096 * 14336] * 8


def test_a_single_token_costs_as_many_times_more_as_groups_wait_for_one() -> None:
    one, two, four, eight = (
        int(cycles(task, WHOLE)["down"].max())
        for task in (
            Task(load_model("mixtral-8x7b"), COUNTING, 8, 64, 1, expert=expert)
            for expert in (1, 2, 4, 8)
        )
    )
    assert (two, four, eight) == (2 * one, 4 * one, 4 * one)


def test_a_grid_gathers_a_part_of_its_input_and_adds_up_twice() -> None:
    task = Task(load_model("llama-2-70b"), load_machine(), 64, 64, 1)
    grid = task._replace(layout=FeedForwardLayout.TWO_D)
    names = [operator.name for operator in block_operators(grid, WHOLE)]
    assert names == [
        "norm",
        "gather",
        "gate_up",
        "scatter_columns",
        "reduce_columns",
        "activate",
        "gather_columns",
        "down",
        "scatter",
        "reduce",
    ]
    exchanged = exchanges(grid, WHOLE)
    # Eight chips of a row gather 1024 of 8192 elements, eight of a column share 3584.
    assert np.bincount(exchanged["gather"].teams).tolist() == [8] * 8
    assert np.bincount(exchanged["scatter_columns"].teams).tolist() == [8] * 8
    assert exchanged["gather"].shard_bytes.tolist() == [128 * 2 + 4] * 64
    # The norm sums of the eight shards of a row go along.
    sums_bytes = 8 * 4
    scattered = exchanged["scatter_columns"].shard_bytes.tolist()
    assert scattered == [2 * 448 * 2 + sums_bytes] * 64
    assert exchanged["gather_columns"].shard_bytes.tolist() == [448 * 2] * 64
    assert exchanged["scatter"].shard_bytes.tolist() == [128 * 2] * 64
