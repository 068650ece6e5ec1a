import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chip.operator_work import VectorWork, Work
from sharding.operators.operators import Compute
from sharding.parallelism.strategy import Strategy
from sharding.partition.block_operators import block_operators
from sharding.partition.stage_boundary import carried_bytes, token_bytes
from sharding.planner.chunked_prefill import (
    check_chunk,
    chunk_plans,
    lacking_bytes,
    largest_chunk,
    pass_plan,
    prompt_chunks,
)
from sharding.planner.plan import ShardingPlan, plan_sharding
from sharding.weights.blocks import Block, BlockKind
from sharding.weights.task import Task
from specs.errors import PlanError
from specs.machine import load_machine
from specs.model import ModelSpec, load_model

GROQRACK = load_machine("groqrack")
widths = st.integers(1, 12)


def works(task: Task, block: Block, *names: str) -> list[Work]:
    return [
        work
        for operator in block_operators(task, block)
        if isinstance(operator, Compute) and operator.name in names
        for work in operator.works
    ]


def macs(task: Task, block: Block, *names: str) -> int:
    return sum(work.macs for work in works(task, block, *names))


def tasks_of(model: ModelSpec, width: int, prompt: int, chunk: int) -> list[Task]:
    context, tasks = 0, []
    for size in prompt_chunks(prompt, chunk):
        context += size
        last = int(context == prompt)
        tasks.append(
            Task(
                model,
                GROQRACK,
                width,
                context,
                1,
                query_tokens=size,
                answer_tokens=last,
            )
        )
    return tasks


@given(prompt=st.integers(1, 500), chunk=st.integers(1, 500))
def test_chunks_cover_the_prompt_and_only_the_last_is_shorter(
    prompt: int, chunk: int
) -> None:
    chunks = prompt_chunks(prompt, chunk)
    assert sum(chunks) == prompt
    assert set(chunks[:-1]) <= {chunk}
    assert 1 <= chunks[-1] <= chunk


@given(model=..., prompt=st.integers(1, 60), chunk=st.integers(1, 60), layer=...)
def test_a_softmax_is_over_the_triangle_that_the_mask_leaves_of_whole_products(
    model: ModelSpec, prompt: int, chunk: int, layer: bool
) -> None:
    if model.structure.encoder:
        return
    block = Block(BlockKind.ATTENTION, (model.layers - 1) * layer, 0, 1, 1)
    windowed = model.window_tokens and block.layer in model.windowed_layers
    window = model.window_tokens if windowed else prompt
    assert window is not None
    met = sum(min(position, window) for position in range(1, prompt + 1))
    tasks = tasks_of(model, 1, prompt, chunk)
    softened = [work for task in tasks for work in works(task, block, "softmax")]
    scores = sum(work.elements for work in softened if isinstance(work, VectorWork))
    assert scores == model.attention_heads * met
    # Tiles multiply each query of a chunk with all positions that one of them meets.
    rectangles = sum(
        task.query_tokens * min(task.context, window + task.query_tokens - 1)
        for task in tasks
    )
    done = sum(macs(task, block, "scores", "values") for task in tasks)
    assert done == 2 * model.attention_heads * model.head_dim * rectangles


@given(model=..., width=widths, prompt=st.integers(1, 40), chunk=st.integers(1, 40))
def test_every_position_meets_every_weight_of_its_layer_once(
    model: ModelSpec, width: int, prompt: int, chunk: int
) -> None:
    if model.structure.encoder or model.experts > 1:
        return
    attention = Block(BlockKind.ATTENTION, 0, 0, 1, 1)
    feed_forward = Block(BlockKind.FEED_FORWARD, 0, 0, 8, 8)
    head = Block(BlockKind.HEAD, model.layers, 0, 1, 1)
    tasks = tasks_of(model, width, prompt, chunk)
    projected = sum(macs(task, attention, "qkv", "output") for task in tasks)
    # Chips of a team share the projections of a head; none is computed twice.
    assert projected == prompt * model.attention_parameters
    through = ("gate_up", "up", "down")
    fed = sum(macs(task, feed_forward, *through) for task in tasks)
    assert fed == prompt * model.feed_forward_parameters
    # Only the last position is answered.
    answered = sum(macs(task, head, "logits") for task in tasks if task.answer_tokens)
    assert answered == model.vocabulary_size * model.hidden_size


@given(model=..., width=widths, context=st.integers(1, 200))
def test_a_chunk_of_one_position_is_a_decode_token(
    model: ModelSpec, width: int, context: int
) -> None:
    token = Task(model, GROQRACK, width, context, 1)
    chunk = Task(model, GROQRACK, width, context, 1, query_tokens=1, answer_tokens=1)
    for block in (
        Block(BlockKind.ATTENTION, 0, 0, 1, 1),
        Block(BlockKind.HEAD, 1, 0, 1, 1),
    ):
        for one, other in zip(
            block_operators(token, block), block_operators(chunk, block), strict=True
        ):
            assert type(one) is type(other)
            if isinstance(one, Compute) and isinstance(other, Compute):
                assert one.cycles.tolist() == other.cycles.tolist()


def test_only_what_is_answered_goes_to_the_head_and_back() -> None:
    model = load_model("llama-2-7b")
    task = Task(model, GROQRACK, 8, 256, 1, query_tokens=64, answer_tokens=1)
    head = Block(BlockKind.HEAD, model.layers, 0, 1, 2)
    inside = head._replace(first=1, last=2)
    one = Task(model, GROQRACK, 8, 256, 1)
    for into in (head, inside):
        assert carried_bytes(task, into).tolist() == carried_bytes(one, into).tolist()
    layer = Block(BlockKind.ATTENTION, 3, 0, 1, 1)
    assert (
        carried_bytes(task, layer).tolist() == (64 * carried_bytes(one, layer)).tolist()
    )
    assert token_bytes(task) == token_bytes(one) == 4
    verified = task._replace(answer_tokens=64)
    assert token_bytes(verified) == 64 * 4


def llama(chips: int = 40, context: int = 2048, sequences: int = 1) -> ShardingPlan:
    strategy = Strategy(tensor=8, pipeline=chips // 8)
    return plan_sharding(
        Task(load_model("llama-2-7b"), GROQRACK, 8, context, 1),
        strategy,
        np.arange(chips),
        sequences=sequences,
    )


def test_a_chunk_in_the_middle_leaves_the_head_out() -> None:
    plan = llama()
    plans = chunk_plans(plan, 100, 40)
    kinds = [[b.kind for stage in each.stages for b in stage.blocks] for each in plans]
    assert [BlockKind.HEAD in each for each in kinds] == [False, False, True]
    assert [each.task.context for each in plans] == [40, 80, 100]
    assert [each.task.query_tokens for each in plans] == [40, 40, 20]


def test_the_chunk_that_a_refusal_names_is_the_longest_that_fits() -> None:
    plan = llama()
    with pytest.raises(PlanError, match="use --prefill-chunk") as refusal:
        check_chunk(plan, 2048, 2048)
    named = int(str(refusal.value).rsplit(" ", 1)[1])
    assert named == largest_chunk(plan, 2048)
    check_chunk(plan, 2048, named)
    with pytest.raises(PlanError, match=f"--prefill-chunk {named}$"):
        check_chunk(plan, 2048, named + 1)


def test_a_pass_keeps_the_slices_and_counts_its_own_activations() -> None:
    plan = llama()
    task = plan.task._replace(context=512, query_tokens=64)
    passing = pass_plan(plan, task)
    for stage, own in zip(plan.stages, passing.stages, strict=True):
        assert own.memory.weights.tolist() == stage.memory.weights.tolist()
        assert (own.memory.activations > stage.memory.activations).all()
    longer = task._replace(query_tokens=128)
    assert lacking_bytes(plan, longer) > lacking_bytes(plan, task)


def test_prompts_in_several_chunks_are_refused_if_caches_are_mirrored() -> None:
    machine = load_machine().with_settings({"failover.kv_cache": "mirrored"})
    strategy = Strategy(tensor=8, pipeline=2)
    task = Task(load_model("gpt2"), machine, 8, 128, 1).split_as(strategy)
    plan = plan_sharding(task, strategy, np.arange(16))
    assert len(chunk_plans(plan, 40, 40)) == 1
    with pytest.raises(PlanError, match=r"use --prefill-chunk 40, one chunk, or"):
        chunk_plans(plan, 40, 32)


def test_a_state_cannot_go_back_to_the_last_accepted_draft(
    linear_model: ModelSpec,
) -> None:
    task = Task(linear_model, GROQRACK, 2, 16, 1)
    chips = np.arange(2, dtype=np.int64)
    plan = plan_sharding(task, Strategy(tensor=2, pipeline=1), chips)
    chunk = task._replace(query_tokens=4)
    assert pass_plan(plan, chunk).task.query_tokens == 4
    with pytest.raises(PlanError, match=r"^4 positions .* decode without speculation$"):
        pass_plan(plan, chunk._replace(answer_tokens=4))
