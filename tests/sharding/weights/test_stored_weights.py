import numpy as np
import pytest

from sharding.planner.memory import weight_bytes
from sharding.weights.blocks import Block, BlockKind
from sharding.weights.stored_weights import (
    checkpoint_bytes,
    matrices_of,
    slice_bytes,
    tensor_format,
)
from sharding.weights.task import Task
from sharding.weights.weight_slices import block_slices
from specs.machine import load_machine
from specs.model import ModelSpec, load_model, model_from_config
from specs.model_formats import ModelFormats, WeightGroup

MACHINE = load_machine()
MIXTRAL = load_model("mixtral-8x7b")
FEED_FORWARD = Block(BlockKind.FEED_FORWARD, 0, 0, 1, 1)
# Each group of tensors in a format of its own.
EACH = ModelFormats.model_validate(
    {
        "method": "any",
        "embedding": "fp16",
        "attention": "int8:row",
        "feed_forward": "int4",
        "experts": "mxfp4",
        "shared_experts": "nvfp4",
        "head": "fp8:tensor",
        "others": "fp32",
    }
)


def in_formats(model: ModelSpec, formats: ModelFormats | None = EACH) -> ModelSpec:
    return model.model_copy(update={"formats": formats})


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (BlockKind.EMBEDDING, {"embed_tokens": "fp16"}),
        (
            BlockKind.ATTENTION,
            {"input_layernorm": "fp32", "q_proj": "int8:row", "o_proj": "int8:row"},
        ),
        (BlockKind.FEED_FORWARD, {"gate": "fp32", "w1": "mxfp4", "w2": "mxfp4"}),
        (BlockKind.HEAD, {"norm": "fp32", "lm_head": "fp8:tensor"}),
    ],
)
def test_each_tensor_has_the_format_of_its_group(
    kind: BlockKind, expected: dict[str, str]
) -> None:
    task = Task(in_formats(MIXTRAL), MACHINE, 4, 64, 1)
    block = Block(kind, 0, 0, 1, 1)
    found = {
        part.tensor.removesuffix(".weight").rpartition(".")[2]: str(
            tensor_format(task.model, task.machine.formats.weights, block, part)
        )
        for part in block_slices(task.model, block, task.group)
    }
    assert found.items() >= expected.items()
    # Without formats of the checkpoint all of it has that of the machine.
    plain = task._replace(model=in_formats(MIXTRAL, None))
    part = block_slices(plain.model, block, plain.group)[0]
    assert (
        str(tensor_format(plain.model, plain.machine.formats.weights, block, part))
        == "fp8"
    )


def test_the_matrices_of_a_mixture_are_experts() -> None:
    assert matrices_of(MIXTRAL, FEED_FORWARD) is WeightGroup.EXPERTS
    dense = load_model("llama-2-7b")
    assert matrices_of(dense, FEED_FORWARD) is WeightGroup.FEED_FORWARD


def test_scales_of_a_group_of_inputs_are_on_every_chip_that_has_some_of_them() -> None:
    machine = MACHINE.with_settings({"formats.weights": "int4:128"})
    # 11,008 columns of the last matrix are 86 groups; a third of them is 28.67.
    task = Task(load_model("llama-2-7b"), machine, 3, 64, 1)
    down = block_slices(task.model, FEED_FORWARD, task.group)[-1]
    columns = np.array([3669, 3669, 3670])
    assert (down.column_end - down.column_start).tolist() == columns.tolist()
    touched = np.array([29, 30, 29])
    assert (
        slice_bytes(
            task.model, task.machine.formats.weights, FEED_FORWARD, down
        ).tolist()
        == (-(-4096 * columns // 2) + 4096 * 2 * touched).tolist()
    )


def test_the_weights_of_a_block_are_the_sum_of_its_slices() -> None:
    task = Task(in_formats(MIXTRAL), MACHINE, 4, 64, 1)
    slices = block_slices(task.model, FEED_FORWARD, task.group)
    total = sum(
        slice_bytes(task.model, task.machine.formats.weights, FEED_FORWARD, part)
        for part in slices
    )
    assert weight_bytes(task, FEED_FORWARD).tolist() == np.array(total).tolist()
    # 8 experts of 3 x 4,096 x 14,336 in 4.25 bits, a router in 32, a norm in 32.
    experts = 8 * 3 * 4096 * 14336 * 17 // 32
    assert weight_bytes(task, FEED_FORWARD).sum() == experts + 4 * (8 + 1) * 4096


@pytest.mark.parametrize(
    ("name", "size"),
    [
        # 70,212 M weights of 4 bits with 20 bits for 128 of them; two tables of
        # 152,064 x 8,192, biases and norms of 2 bytes.
        (
            "qwen2.5-72b-awq",
            80 * 877_658_112 * (4 * 128 + 20) // (8 * 128)
            + 2 * (2 * 152_064 * 8192 + 161 * 8192 + 80 * 10_240),
        ),
        # 31,205 M weights of 8 bits with 4 bytes for 16,384 of them.
        (
            "qwen3-32b-fp8",
            64 * 487_587_840 * 4097 // 4096
            + 2 * (2 * 151_936 * 5120 + 129 * 5120 + 64 * 256),
        ),
        # 60.8 and 12.8 GiB by the model card.
        ("gpt-oss-120b", 65_248_815_744),
        ("gpt-oss-20b", 13_761_264_768),
        ("llama-2-7b", 6_738_415_616),
    ],
)
def test_a_checkpoint_takes_its_published_bytes(name: str, size: int) -> None:
    assert checkpoint_bytes(load_model(name), MACHINE) == size


def test_a_tied_head_is_not_stored_twice() -> None:
    model = load_model("gemma-2-9b")
    assert checkpoint_bytes(model, MACHINE) == model.parameters


def test_neither_is_the_norm_that_two_blocks_share() -> None:
    config = {"model_type": "cohere", "num_hidden_layers": 3, "hidden_size": 64}
    model = model_from_config(config, name="small")
    assert model.block_order.shares_norm
    assert checkpoint_bytes(model, MACHINE) == model.parameters


def test_a_norm_of_the_embedding_is_no_table() -> None:
    config = {"model_type": "bloom", "n_layer": 1, "hidden_size": 64}
    model = in_formats(model_from_config(config, name="small"))
    block = Block(BlockKind.EMBEDDING, -1, 0, 1, 1)
    plain = MACHINE.formats.weights
    assert model.formats is not None
    found = {
        part.tensor: tensor_format(model, plain, block, part)
        for part in block_slices(model, block, Task(model, MACHINE, 2, 8, 1).group)
    }
    table, *norms = found.values()
    assert table == model.formats.embedding
    assert norms == [model.formats.others] * 4
    assert table != norms[0]


def test_a_shared_expert_is_a_group_and_its_gate_is_none() -> None:
    model = in_formats(load_model("qwen2-57b-a14b"))
    task = Task(model, MACHINE, 4, 64, 1)
    found = {
        part.tensor.partition("mlp.")[2]: str(
            tensor_format(task.model, task.machine.formats.weights, FEED_FORWARD, part)
        )
        for part in block_slices(model, FEED_FORWARD, task.group)
    }
    assert (
        found.items()
        >= {
            "gate.weight": "fp32",
            "shared_expert_gate.weight": "fp32",
            "shared_expert.down_proj.weight": "nvfp4",
            "experts.0.up_proj.weight": "mxfp4",
        }.items()
    )
    dense = model.model_copy(update={"expert_layers": (1,)})
    assert matrices_of(dense, FEED_FORWARD) is WeightGroup.FEED_FORWARD
