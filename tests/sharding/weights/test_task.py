import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sharding.parallelism.strategy import Strategy
from sharding.weights.blocks import Block, BlockKind
from sharding.weights.task import Task, bytes_of
from specs.formats import Format
from specs.machine import load_machine
from specs.model import ModelSpec, load_model
from specs.model_formats import ModelFormats

MACHINE = load_machine()
ATTENTION = Block(BlockKind.ATTENTION, 0, 0, 1, 1)
ONE = np.ones(1, dtype=np.int64)


def encoder(context: int, batch: int = 1) -> Task:
    return Task(load_model("bert-base"), MACHINE, 4, context, batch)


def test_each_chip_keeps_whole_bytes() -> None:
    assert bytes_of(Format.INT4, np.array([0, 1, 2, 3, 3])).tolist() == [0, 1, 1, 2, 2]


def test_a_task_takes_the_split_within_a_group_from_a_strategy(tiny: ModelSpec) -> None:
    task = Task(tiny, MACHINE, 1, 16, 3)
    split = task.split_as(Strategy(tensor=4, pipeline=2, data=3, attention=2))
    assert split == task._replace(tensor=4, attention=2)
    assert (split.group.width, split.group.attention) == (4, 2)


def test_a_decoder_computes_its_query_tokens_and_an_encoder_all(
    tiny: ModelSpec,
) -> None:
    chunk = Task(tiny, MACHINE, 1, 100, 3, query_tokens=5, answer_tokens=1)
    assert (chunk.sequence_tokens, chunk.tokens) == (5, 15)
    assert chunk.answering().tokens == 3
    whole = encoder(100, batch=3)
    assert (whole.sequence_tokens, whole.tokens) == (100, 300)
    assert whole.answering().tokens == 300


def test_keys_and_values_of_an_encoder_are_activations(tiny: ModelSpec) -> None:
    machine = MACHINE.with_settings({"formats.kv_cache": "int8"})
    assert Task(tiny, machine, 1, 16, 1).cached_format is Format.INT8
    inside = encoder(16)._replace(machine=machine)
    assert inside.cached_format is inside.activation_format is Format.FP16


def test_queries_of_a_chunk_attend_to_overlapping_windows(tiny: ModelSpec) -> None:
    windowed = {"window_tokens": 8, "windowed_layers": (0,)}
    task = Task(tiny.with_settings(windowed), MACHINE, 1, 100, 1, query_tokens=3)
    assert task.attended_tokens(ATTENTION) == 8
    # The first of three queries begins two positions earlier.
    assert task.cached_tokens(ATTENTION) == 10
    other = ATTENTION._replace(layer=1)
    assert (task.attended_tokens(other), task.cached_tokens(other)) == (100, 100)


def test_scores_are_the_triangle_of_queries_and_earlier_positions(
    tiny: ModelSpec,
) -> None:
    prompt = Task(tiny, MACHINE, 1, 4, 1, query_tokens=4)
    # Members of a KV-head group of two: 1 + 1 + 2 + 2 of 1 + 2 + 3 + 4 positions.
    scores = prompt.score_tokens(ATTENTION, np.array([1, 2]))
    assert scores.tolist() == [10, 6]
    windowed = tiny.with_settings({"window_tokens": 2, "windowed_layers": (0,)})
    narrow = prompt._replace(model=windowed)
    assert narrow.score_tokens(ATTENTION, ONE).tolist() == [1 + 2 + 2 + 2]
    assert encoder(10).score_tokens(ATTENTION, np.array([1, 3])).tolist() == [100, 40]


@given(context=st.integers(1, 60), chunk=st.integers(1, 60), members=st.integers(1, 5))
def test_scores_of_all_chunks_are_those_of_the_whole_prompt(
    context: int, chunk: int, members: int
) -> None:
    whole = Task(load_model("llama-2-7b"), MACHINE, 1, context, 1, query_tokens=context)
    ends = [*range(chunk, context, chunk), context]
    parts = [
        whole._replace(context=end, query_tokens=end - start)
        for start, end in zip([0, *ends], ends, strict=False)
    ]
    sharers = members * ONE
    total = sum(int(part.score_tokens(ATTENTION, sharers)[0]) for part in parts)
    assert total == whole.score_tokens(ATTENTION, sharers)[0]


def test_blocks_of_the_same_sizes_have_one_representative(tiny: ModelSpec) -> None:
    model = tiny.with_settings(
        {"layers": 6, "window_tokens": 8, "windowed_layers": (1, 4, 5)}
    )
    task = Task(model, MACHINE, 2, 16, 1)
    layers = [ATTENTION._replace(layer=layer) for layer in range(6)]
    assert [task.like(block).layer for block in layers] == [0, 1, 0, 0, 1, 1]
    # With two alternating groups, even and odd layers are on different chips.
    alternating = task._replace(attention=1)
    assert [alternating.like(b).layer for b in layers] == [0, 1, 0, 3, 4, 1]
    dense = Block(BlockKind.FEED_FORWARD, 5, 2, 3, 8)
    assert alternating.like(dense) == dense._replace(layer=0)


def test_shards_are_as_even_as_can_be(tiny: ModelSpec) -> None:
    task = Task(tiny.with_settings({"hidden_size": 10}), MACHINE, 4, 16, 3)
    assert task.shard_sizes().tolist() == [2, 3, 2, 3]
    # Three tokens of 2 B an element.
    assert task.shard_bytes().tolist() == [12, 18, 12, 18]


def test_a_product_takes_the_mode_of_its_wider_operand_or_of_the_machine(
    tiny: ModelSpec,
) -> None:
    task = Task(tiny, MACHINE, 1, 16, 1)
    # Activations are FP16; the MXM has no mode for more.
    assert task.activation_format is Format.FP16
    for stored in (Format.INT4, Format.FP8, Format.FP16, Format.FP32):
        assert task.operand_bytes(stored) == 2
    narrow = task._replace(
        machine=MACHINE.with_settings({"formats.activations": "fp8"})
    )
    modes = [narrow.operand_bytes(f) for f in (Format.INT4, Format.FP8, Format.FP16)]
    assert modes == [1, 1, 2]
    forced = task._replace(machine=MACHINE.with_settings({"chip.operand_bytes": 1}))
    assert forced.operand_bytes(Format.FP16) == 1


def test_weights_have_the_formats_of_a_checkpoint_or_that_of_the_machine() -> None:
    plain = Task(load_model("llama-2-7b"), MACHINE, 1, 16, 1)
    assert plain.formats == ModelFormats.uniform(MACHINE.formats.weights)
    assert plain.formats_text == "fp8"
    quantised = plain._replace(model=load_model("qwen2.5-72b-awq"))
    assert quantised.formats == quantised.model.formats
    assert quantised.formats_text.endswith("attention, feed-forward int4:128:zero")


def test_a_setting_overrides_the_formats_of_a_checkpoint() -> None:
    model = load_model("qwen3-32b-fp8").model_copy(update={"kv_cache": Format.INT8})
    task = Task(model, MACHINE, 1, 16, 1)
    assert task.cached_format is Format.INT8
    changed = task.with_setting("formats.weights", "mxfp4")
    assert changed.formats_text == "mxfp4"
    assert changed.cached_format is Format.INT8
    assert task.with_setting("formats.kv_cache", "fp8").cached_format is Format.FP8


def test_four_bits_are_widened_to_the_activations_as_eight_are() -> None:
    task = Task(load_model("llama-2-7b"), MACHINE, 1, 16, 1)
    assert task.operand_bytes(Format.FP4) == task.operand_bytes(Format.FP8) == 2
    narrow = task.with_setting("formats.activations", "int8")
    assert narrow.operand_bytes(Format.FP4) == 1
