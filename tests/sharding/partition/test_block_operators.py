import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chip.operator_work import ProductWork
from sharding.operators.operators import Compute, Exchange, Pattern, Unit
from sharding.partition.block_operators import block_operators
from sharding.weights.blocks import Block, BlockKind
from sharding.weights.task import Task
from sharding.weights.weight_slices import block_slices
from specs.arrays import Ints
from specs.machine import load_machine
from specs.model import ModelSpec, load_model

GROQRACK = load_machine("groqrack")
EMBEDDING = Block(BlockKind.EMBEDDING, -1, 0, 1, 1)
ATTENTION = Block(BlockKind.ATTENTION, 0, 0, 1, 1)
FEED_FORWARD = Block(BlockKind.FEED_FORWARD, 0, 0, 8, 8)
HEAD = Block(BlockKind.HEAD, 1, 0, 1, 1)
# How projections are called, family by family.
QKV = (
    *("q_proj", "k_proj", "v_proj", "qkv_proj", "c_attn"),
    *("query", "key", "value", "wqkv"),
)
OUTPUT = (
    "o_proj",
    "attn.c_proj",
    "output.dense",
    "out_proj",
    "attn.dense",
    "attention.dense",
    "attention.wo",
)
INWARD = (
    "gate_proj",
    "up_proj",
    "gate_up_proj",
    "c_fc",
    "fc1",
    "fc_in",
    "dense_h_to_4h",
    "intermediate.dense",
    "feed_forward.w1",
    "feed_forward.w3",
)
OUTWARD = (
    *("down_proj", "mlp.c_proj", "fc2", "fc_out", "output.dense", "4h_to_h"),
    "feed_forward.w2",
)
widths = st.integers(1, 12) | st.sampled_from([16, 24])


def small(model: ModelSpec, tensor: int, context: int = 64, batch: int = 1) -> Task:
    return Task(model, GROQRACK, tensor, context, batch)


def named(name: str, tensor: int = 8, batch: int = 1) -> Task:
    return Task(load_model(name), GROQRACK, tensor, 4096, batch)


def computes(task: Task, block: Block) -> dict[str, Ints]:
    operators = block_operators(task, block)
    return {each.name: each.cycles for each in operators if isinstance(each, Compute)}


def weights(task: Task, block: Block) -> dict[str, Ints]:
    """Return the elements of the matrices of each product on each chip."""
    return {
        each.name: np.array(
            [work.weights for work in each.works if isinstance(work, ProductWork)]
        )
        for each in block_operators(task, block)
        if isinstance(each, Compute) and each.unit is Unit.MATMUL
    }


def exchanges(task: Task, block: Block) -> dict[str, Exchange]:
    operators = block_operators(task, block)
    return {each.name: each for each in operators if isinstance(each, Exchange)}


def inward_name(model: ModelSpec) -> str:
    return "gate_up" if model.structure.gated else "up"


def names(task: Task, block: Block) -> list[str]:
    return [operator.name for operator in block_operators(task, block)]


def held(task: Task, block: Block, *endings: str) -> Ints:
    """Return the weights on each chip of the tensors whose names end so."""
    slices = block_slices(task.model, block, task.group)
    return sum(
        (
            part.elements
            for part in slices
            if part.tensor.removesuffix(".weight").endswith(endings)
        ),
        np.zeros(task.tensor, dtype=np.int64),
    )


@given(model=..., tensor=widths)
def test_attention_multiplies_exactly_the_weights_that_each_chip_holds(
    model: ModelSpec, tensor: int
) -> None:
    task = small(model, tensor)
    multiplied = weights(task, ATTENTION)
    qkv = held(task, ATTENTION, *QKV)
    assert multiplied["qkv"].tolist() == qkv.tolist()
    assert multiplied["output"].tolist() == held(task, ATTENTION, *OUTPUT).tolist()
    both = multiplied["qkv"].sum() + multiplied["output"].sum()
    assert both == model.attention_parameters


@given(model=..., tensor=widths)
def test_a_feed_forward_multiplies_the_experts_that_a_token_uses(
    model: ModelSpec, tensor: int
) -> None:
    task = small(model, tensor)
    multiplied = weights(task, FEED_FORWARD)
    one_expert = model.hidden_size * model.intermediate_size
    inward = multiplied[inward_name(model)].sum()
    assert inward == model.projections_in * model.experts_per_token * one_expert
    assert multiplied["down"].sum() == model.experts_per_token * one_expert
    if model.experts > 1:
        assert multiplied["router"].sum() == model.hidden_size * model.experts


@given(model=..., tensor=widths, first=st.integers(0, 7), data=st.data())
def test_a_part_of_a_dense_feed_forward_multiplies_what_it_holds(
    model: ModelSpec, tensor: int, first: int, data: st.DataObject
) -> None:
    dense = model.model_copy(update={"experts": 1, "experts_per_token": 1})
    part = FEED_FORWARD._replace(first=first, last=data.draw(st.integers(first + 1, 8)))
    task = small(dense, tensor)
    multiplied = weights(task, part)
    inward = held(task, part, *INWARD)
    assert multiplied[inward_name(dense)].tolist() == inward.tolist()
    assert multiplied["down"].tolist() == held(task, part, *OUTWARD).tolist()


@given(model=..., tensor=widths)
def test_the_head_multiplies_exactly_the_rows_that_each_chip_holds(
    model: ModelSpec, tensor: int
) -> None:
    task = small(model, tensor)
    names = ("lm_head", "embed_out", "pooler.dense")
    tied = (f"{name}.weight (tied)" for name in names)
    held_rows = held(task, HEAD, *names, *tied)
    product = "pool" if model.structure.encoder else "logits"
    assert weights(task, HEAD)[product].tolist() == held_rows.tolist()
    assert held_rows.sum() == model.head_rows * model.hidden_size


@given(model=..., tensor=widths, context=st.integers(1, 300))
def test_attention_multiplies_what_its_window_shows_of_the_kv_cache(
    model: ModelSpec, tensor: int, context: int
) -> None:
    multiplied = weights(small(model, tensor, context), ATTENTION)
    window = model.window_tokens if 0 in model.windowed_layers else None
    least = model.kv_size * min(context, window or context)
    # Positions are whole: each chip of a KV-head group may read one more.
    most = least + model.head_dim * tensor
    assert multiplied["scores"].tolist() == multiplied["values"].tolist()
    assert least <= multiplied["scores"].sum() <= most


@given(model=..., tensor=widths)
def test_shards_of_the_residual_stream_add_up_to_it(
    model: ModelSpec, tensor: int
) -> None:
    task = small(model, tensor)
    for block in (ATTENTION, FEED_FORWARD):
        exchanged = exchanges(task, block)
        tokens = 64 if model.structure.encoder else 1
        assert exchanged["scatter"].shard_bytes.sum() == 2 * model.hidden_size * tokens
        assert exchanged["gather"].pattern is Pattern.GATHER
        assert exchanged["scatter"].pattern is Pattern.SCATTER
        assert not exchanged["gather"].teams.any()


@given(model=..., tensor=widths)
def test_every_operator_says_something_of_each_chip(
    model: ModelSpec, tensor: int
) -> None:
    task = small(model, tensor)
    for block in (EMBEDDING, ATTENTION, FEED_FORWARD, HEAD):
        for operator in block_operators(task, block):
            if isinstance(operator, Compute):
                assert operator.cycles.shape == (tensor,)
                assert (operator.cycles >= 0).all()
            else:
                assert operator.shard_bytes.shape == operator.teams.shape == (tensor,)


def test_a_layer_of_llama_is_two_all_reduces_with_work_between() -> None:
    task = named("llama-2-70b")
    start, end = ["norm", "gather", "scale"], ["scatter", "reduce"]
    attention = ["qkv", "rotary", "scores", "softmax", "values", "output"]
    feed_forward = ["gate_up", "activate", "down"]
    assert names(task, ATTENTION) == start + attention + end
    assert names(task, FEED_FORWARD) == start + feed_forward + end


def test_gemma_normalises_what_each_block_returns() -> None:
    task = named("gemma-2-9b")
    for block in (ATTENTION, FEED_FORWARD):
        assert names(task, block)[-2:] == ["post_norm", "post_scale"]
    assert "post_norm" not in names(task, FEED_FORWARD._replace(last=5))


def test_mixtral_routes_before_it_gathers_and_chooses_after() -> None:
    order = names(named("mixtral-8x7b"), FEED_FORWARD)
    assert order[:5] == ["norm", "router", "gather", "scale", "choose"]


@pytest.mark.parametrize(("batch", "experts"), [(1, 2), (2, 4), (4, 8), (16, 8)])
def test_a_batch_may_need_every_expert_but_no_more(batch: int, experts: int) -> None:
    task = small(load_model("mixtral-8x7b"), 8, batch=batch)
    assert weights(task, FEED_FORWARD)["down"].sum() == experts * 4096 * 14336


def test_only_the_end_of_the_head_chooses_the_token() -> None:
    task = named("llama-3-70b")
    whole, first = names(task, HEAD), names(task, Block(BlockKind.HEAD, 80, 0, 1, 2))
    assert whole[-2:] == ["candidates", "sample"]
    assert first == whole[:-2]
    assert computes(task, HEAD)["sample"][1:].tolist() == [0] * 7


def test_an_embedding_is_one_look_up() -> None:
    (lookup,) = block_operators(named("llama-2-70b"), EMBEDDING)
    assert isinstance(lookup, Compute)
    assert lookup.unit is Unit.LOOKUP


def test_learned_positions_are_looked_up_and_added_instead_of_a_rotation() -> None:
    task = Task(load_model("gpt2"), GROQRACK, 4, 1024, 1)
    assert names(task, EMBEDDING) == ["embed", "add_position"]
    assert names(task, ATTENTION)[3:6] == ["qkv", "qkv_bias", "scores"]
    assert names(task, FEED_FORWARD)[3:6] == ["up", "activate", "down"]


def test_an_encoder_gathers_its_first_position_to_pool_it() -> None:
    exchanged = exchanges(Task(load_model("bert-base"), GROQRACK, 8, 512, 1), HEAD)
    # 96 elements of 2 B of one position; sum and sum of squares of all 512.
    assert exchanged["gather"].shard_bytes.tolist() == [96 * 2 + 512 * 2 * 4] * 8
    assert exchanged["pooled"].pattern is Pattern.TO_LEADER


@pytest.mark.parametrize(("tensor", "tiles"), [(1, 90), (2, 45), (4, 23), (8, 12)])
def test_twice_the_chips_take_half_the_rounds_of_a_layer(
    tensor: int, tiles: int
) -> None:
    # Rows that a chip has of 28,672 are padded to tiles of 320; 8,192 columns take 26.
    # Two tiles are a round: 40 cycles to load it, 12 beside, and two for a row.
    assert (tiles - 1) * 320 < 28672 // tensor <= tiles * 320
    cycles = computes(named("llama-2-70b", tensor), FEED_FORWARD)["down"]
    rounds = tiles * 26 // 2
    assert (cycles == GROQRACK.chip.matmul_fill_cycles + rounds * 54).all()
