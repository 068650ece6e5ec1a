"""How the verifier counts stored weights: from edges and regions, scales included."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings

from chip.operator_work import LookupWork, ProductWork
from chip.program import OperatorKind
from compiler.compile_decode import compile_token
from compiler.dataflow_rules.operation_amounts import OperationAmounts
from compiler.dataflow_rules.statements import Statements
from compiler.dataflow_rules.value_sizes import ValueSizes
from compiler.dataflow_rules.weights.stored_weights import (
    BlockSizes,
    block_sizes,
    format_of_matrix,
    resident_bytes,
)
from compiler.dataflow_rules.work import check_work
from compiler.ir.schedule import Schedule
from compiler.verify import verify
from sharding.parallelism.strategy import Strategy
from sharding.planner.plan import ShardingPlan, plan_sharding
from sharding.weights.task import Task
from specs.errors import VerificationError
from specs.latent_attention import LatentAttention
from specs.machine import load_machine
from specs.model import load_model
from specs.model_formats import ModelFormats, WeightGroup
from specs.weight_formats import parse_weight_format
from topologies.selection import select_topology
from workloads.model_graph import graph_of

MACHINE = load_machine()
FORMATS = ModelFormats.model_validate(
    {
        "method": "any",
        "embedding": "mxfp8",
        "attention": "int4:8:zero",
        "feed_forward": "fp8:4x8",
        "experts": "mxfp4",
        "shared_experts": "int8:4x8",
        "head": "nvfp4",
        "others": "bf16",
    }
)


# Three layers, of which none has the formats of another.
LAYERED = FORMATS.model_copy(
    update={
        "layered": tuple(
            (group, tuple(map(parse_weight_format, names)))
            for group, names in (
                (WeightGroup.ATTENTION, ("int4:8:zero", "fp4:8:double", "bf16")),
                (WeightGroup.FEED_FORWARD, ("fp8:row:fp32", "fp8:4x8", "fp8:4x8")),
            )
        )
    }
)
EXPERTS = {"experts": 4, "experts_per_token": 2}
# Shape, and the sizes of its feed-forwards.
MODELS: dict[str, tuple[str, dict[str, object]]] = {
    "dense": ("llama-2-7b", {"layers": 1}),
    "layers that differ": ("llama-2-7b", {"layers": 3}),
    "experts": ("mixtral-8x7b", {"layers": 1, **EXPERTS}),
    # A dense layer, and one with a shared expert.
    "shared expert": (
        "qwen2-57b-a14b",
        {
            "layers": 2,
            "expert_layers": (1,),
            "expert_intermediate_size": 64,
            "shared_intermediate_size": 32,
            **EXPERTS,
        },
    ),
}


# Heads share latents: keys are expanded, or if there are many positions, absorbed.
LATENT = LatentAttention(
    query_rank=32, kv_rank=16, rotary_dim=8, plain_dim=16, value_dim=16
)


def small(kind: str, *, latent: bool = False, context: int = 16) -> Schedule:
    """Return the schedule of a small model with a format for each group of tensors."""
    size = {"hidden_size": 64, "intermediate_size": 96, "head_dim": 16}
    heads = {"attention_heads": 4, "kv_heads": 2, "vocabulary_size": 50}
    name, own = MODELS[kind]
    model = load_model(name).with_settings(size | heads | own)
    formats = LAYERED if kind == "layers that differ" else FORMATS
    changes: dict[str, object] = {"formats": formats}
    if latent:
        changes |= {"family": "deepseek_v3", "latent": LATENT, "kv_heads": 4}
    task = Task(model.model_copy(update=changes), MACHINE, 2, context, 1)
    topology = select_topology(2)
    strategy = Strategy(tensor=2, pipeline=1)
    chips = topology.active.astype(np.int64)
    return compile_token(plan_sharding(task, strategy, chips), topology)


@given(plan=...)
def test_the_verifier_counts_as_many_bytes_as_the_plan(plan: ShardingPlan) -> None:
    chips = int(max(stage.chips.max() for stage in plan.stages)) + 1
    planned = np.zeros(chips, dtype=np.int64)
    for stage in plan.stages:
        planned[stage.chips] = stage.memory.weights
    assert resident_bytes(plan, chips).tolist() == planned.tolist()


@settings(max_examples=10)
@given(plan=...)
def test_programs_of_any_formats_are_certified(plan: ShardingPlan) -> None:
    topology = select_topology(plan.strategy.chips)
    schedule = compile_token(plan, topology)
    assert verify(schedule.program, topology, plan.machine, plan=plan).digest


@pytest.mark.parametrize(
    ("kind", "latent", "context"),
    [
        *((kind, False, 16) for kind in MODELS),
        ("dense", True, 16),
        ("dense", True, 700),
    ],
    ids=[*MODELS, "expanded", "absorbed"],
)
def test_an_instruction_that_leaves_out_a_byte_of_scales_is_refused(
    kind: str, latent: bool, context: int
) -> None:
    schedule = small(kind, latent=latent, context=context)
    verify(schedule.program, schedule.topology, MACHINE, plan=schedule.plan)
    program, plan = schedule.program, schedule.plan
    assert isinstance(plan, ShardingPlan)
    task = plan.task
    graph = graph_of(task.model, task.machine.formats, context=task.context, batch=1)

    def check(kinds: tuple[OperatorKind, ...]) -> int:
        statements = Statements(replace(program, kinds=kinds), graph, 1)
        sizes = ValueSizes(statements, MACHINE.formats, encoder=False)
        amounts = OperationAmounts(statements, sizes, task)
        return check_work(statements, amounts, task)

    assert check(program.kinds) > 0
    read = [
        number
        for number, each in enumerate(program.kinds)
        if isinstance(each.work, LookupWork | ProductWork) and each.work.stored_bytes
    ]
    # A lookup, queries, scores, values, output, both of the feed-forward, and head.
    assert len(read) >= 8
    for number in read:
        own = program.kinds[number]
        assert isinstance(own.work, LookupWork | ProductWork)
        less = own.work._replace(stored_bytes=own.work.stored_bytes - 1)
        kinds = (
            *program.kinds[:number],
            own._replace(work=less),
            *program.kinds[number + 1 :],
        )
        with pytest.raises(VerificationError, match=r"fewer bytes|looks up less"):
            check(kinds)


def test_memory_without_scales_is_refused() -> None:
    schedule = small("dense")
    program, plan = schedule.program, schedule.plan
    resident = program.resident
    less = resident._replace(weights=resident.weights - 1)
    with pytest.raises(VerificationError, match=r"bytes of weights, and .* are stated"):
        verify(replace(program, resident=less), schedule.topology, MACHINE, plan=plan)


def test_matrices_have_the_format_of_their_group_by_the_names_of_the_graph() -> None:
    schedule = small("shared expert")
    assert isinstance(schedule.plan, ShardingPlan)
    task = schedule.plan.task
    for name, stored in {
        "embedding.weight": FORMATS.embedding,
        "layers.0.attention.output.weight": FORMATS.attention,
        "layers.0.attention.query.bias": FORMATS.others,
        "layers.0.feed_forward.down.weight": FORMATS.feed_forward,
        "layers.1.feed_forward.down.weight": FORMATS.experts,
        "layers.1.feed_forward.shared_up.weight": FORMATS.shared_experts,
        "layers.1.feed_forward.shared_router.weight": FORMATS.others,
        "layers.1.feed_forward.router.weight": FORMATS.others,
        "layers.0.feed_forward.norm.weight": FORMATS.others,
        "head.weight": FORMATS.head,
    }.items():
        assert format_of_matrix(task, name) == stored, name
    layers = small("layers that differ").plan
    assert isinstance(layers, ShardingPlan)
    names = [
        str(format_of_matrix(layers.task, f"layers.{n}.attention.key.weight"))
        for n in range(3)
    ]
    assert names == ["int4:8:zero", "fp4:8:double", "bf16"]
    plain = task._replace(model=task.model.in_formats_of(["formats.weights"]))
    stored = format_of_matrix(plain, "head.weight")
    assert stored == MACHINE.formats.weights


def test_the_least_scales_of_a_matrix_are_those_of_whole_blocks() -> None:
    names = ("fp8:128x128", "mxfp4", "int4:row:zero", "fp8:tensor", "fp16")
    sizes = block_sizes([parse_weight_format(name) for name in names])
    assert isinstance(sizes, BlockSizes)
    rows, columns = np.full((2, len(names)), 130)
    # Four blocks of 4 bytes; 130 rows of 5 bytes; of 20 bits; one of 4 bytes; none.
    least = sizes.least_scale_bytes(rows, columns)
    assert least.tolist() == [16, 130 * 5, 130 * 20 // 8, 4, 0]
    assert sizes.least_scale_bytes(0 * rows, columns).tolist() == [0] * len(names)


def test_elements_have_at_least_their_share_of_the_scales() -> None:
    sizes = block_sizes(
        [parse_weight_format(name) for name in ("mxfp4", "int4:row", "fp16")]
    )
    # 64 in 4 bits with two scales of a byte; a scale for all may be elsewhere.
    assert sizes.least_bytes(np.full(3, 64)).tolist() == [34, 32, 128]
