from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sharding.operators.operators import Compute
from sharding.partition.block_operators import block_operators
from sharding.planner.stage_partition import (
    cuts_by_memory,
    piece_cycles,
    stage_blocks,
    stage_cuts,
)
from sharding.weights.blocks import Block, merged, model_units
from sharding.weights.task import Task
from specs.machine import load_machine
from specs.model import ModelSpec, load_model

GROQRACK = load_machine("groqrack")


def cycles_of(task: Task, blocks: tuple[Block, ...]) -> int:
    return sum(
        int(operator.cycles.max())
        for block in blocks
        for operator in block_operators(task, block)
        if isinstance(operator, Compute)
    )


@given(model=..., tensor=st.integers(1, 12))
def test_the_pieces_of_a_model_add_up_to_its_cycles(
    model: ModelSpec, tensor: int
) -> None:
    task = Task(model, GROQRACK, tensor, 64, 1)
    units = model_units(model, GROQRACK, tensor=tensor, pipeline=1)
    assert piece_cycles(task, units).sum() == cycles_of(task, merged(units))


@given(model=..., pipeline=st.integers(1, 12))
def test_stages_hold_every_piece_once_and_in_order(
    model: ModelSpec, pipeline: int
) -> None:
    task = Task(model, GROQRACK, 2, 64, 1)
    units = model_units(model, GROQRACK, tensor=2, pipeline=pipeline)
    cuts = stage_cuts(task, units, pipeline=pipeline, sequences=1)
    assert cuts is not None
    assert len(cuts) == pipeline
    assert cuts[0] == 0
    assert all(before < after for before, after in pairwise([*cuts, len(units)]))
    blocks = stage_blocks(units, cuts)
    parts = [block.last - block.first for stage in blocks for block in stage]
    assert sum(parts) == len(units)


@pytest.mark.parametrize(
    ("name", "pipeline"), [("llama-2-70b", 72), ("llama-3-8b", 9), ("gemma-2-9b", 9)]
)
def test_no_stage_is_much_slower_than_an_even_share(name: str, pipeline: int) -> None:
    task = Task(load_model(name), GROQRACK, 8, 4096, 1)
    units = model_units(task.model, GROQRACK, tensor=8, pipeline=pipeline)
    cuts = stage_cuts(task, units, pipeline=pipeline, sequences=1)
    assert cuts is not None
    stages = [cycles_of(task, blocks) for blocks in stage_blocks(units, cuts)]
    # A layer's attention cannot be cut, so an even share cannot always be met.
    assert max(stages) < 1.15 * sum(stages) / pipeline


def test_memory_alone_can_be_balanced_where_nothing_fits() -> None:
    task = Task(load_model("llama-2-70b"), GROQRACK, 8, 4096, 1)
    units = model_units(task.model, GROQRACK, tensor=8, pipeline=4)
    assert stage_cuts(task, units, pipeline=4, sequences=1) is None
    assert len(cuts_by_memory(task, units, pipeline=4, sequences=1)) == 4
