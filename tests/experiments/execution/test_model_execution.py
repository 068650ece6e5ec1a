from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chip.dataflow import Function
from compiler.collectives.exchange_selection import ExchangeSelector, Selected
from compiler.collectives.phases import Algorithm, Candidate
from compiler.compile_decode import compile_token
from compiler.scheduling.layer_cache import LayerCache
from compiler.verify import Certificate, verify
from experiments.execution.model_execution import (
    Execution,
    check_executable,
    run_execution,
)
from experiments.run.preparation import Prepared
from sharding.parallelism.strategy import parse_strategy
from sharding.placement.default_placement import placed_chips
from sharding.planner.plan import plan_sharding
from sharding.weights.task import Task
from specs.errors import PlanError, VerificationError
from specs.machine import load_machine
from specs.model import ModelSpec, load_model, model_from_config
from specs.router import RouterScores, RouterSpec
from specs.scenario import Scenario
from topologies.selection import select_topology

# Nothing divides anything: shards, columns and rows of the vocabulary are uneven.
SIZES = {
    "hidden_size": 37,
    "intermediate_size": 43,
    "num_hidden_layers": 2,
    "num_attention_heads": 6,
    "num_key_value_heads": 3,
    "head_dim": 6,
    "vocab_size": 53,
    "max_position_embeddings": 32,
}
GPT2 = {"n_embd": 36, "n_layer": 2, "n_head": 6, "n_positions": 32, "vocab_size": 53}
EXPERTS = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 11}
# Linear attention, then full attention whose heads chips share.
LINEAR = {
    "full_attention_interval": 2,
    "head_dim": 8,
    "num_key_value_heads": 2,
    "linear_num_key_heads": 4,
    "linear_num_value_heads": 8,
    "linear_key_head_dim": 7,
    "linear_value_head_dim": 5,
    "linear_conv_kernel_dim": 3,
}
OF_FAMILY: dict[str, dict[str, Any]] = {
    # A dense layer, then experts beside a shared one, in two groups.
    "deepseek_v3": {
        "kv_lora_rank": 11,
        "q_lora_rank": 9,
        "qk_rope_head_dim": 4,
        "qk_nope_head_dim": 5,
        "v_head_dim": 7,
        "n_routed_experts": 4,
        "n_shared_experts": 1,
        "num_experts_per_tok": 2,
        "moe_intermediate_size": 13,
        "n_group": 2,
        "topk_group": 1,
        "first_k_dense_replace": 1,
        "rope_scaling": {
            "type": "yarn",
            "factor": 4.0,
            "mscale": 0.7,
            "mscale_all_dim": 1.0,
            "original_max_position_embeddings": 8,
        },
    },
    "cohere2": {
        "hidden_size": 36,
        "attention_bias": True,
        "logit_scale": 0.3,
        "sliding_window": 3,
        "sliding_window_pattern": 2,
    },
    "bloom": {"hidden_size": 36},
    "exaone4": {"sliding_window": 3, "sliding_window_pattern": 2},
    "granitemoe": {
        "hidden_size": 36,
        "num_local_experts": 4,
        "residual_multiplier": 0.7,
    },
    "nemotron": {"partial_rotary_factor": 0.67},
    "olmoe": {"hidden_size": 36, "num_experts": 4, "num_experts_per_tok": 2},
    "falcon": {"hidden_size": 36, "ffn_hidden_size": 43},
    "gpt_neox": {"hidden_size": 36, "rotary_pct": 0.67},
    "gptj": GPT2 | {"rotary_dim": 4},
    "phi": {"hidden_size": 36, "partial_rotary_factor": 0.67},
    # Every second layer has a window.
    "gemma2": {"sliding_window": 3, "attn_logit_softcapping": 2.0},
    "gemma3_text": {
        "sliding_window": 3,
        "sliding_window_pattern": 2,
        "rope_scaling": {"rope_type": "linear", "factor": 2.0},
    },
    "glm4": {"attention_bias": True, "partial_rotary_factor": 0.67},
    "gpt2": GPT2,
    "granite": {
        "embedding_multiplier": 3.0,
        "residual_multiplier": 0.7,
        "attention_multiplier": 0.3,
        "logits_scaling": 0.5,
        "attention_bias": True,
        "mlp_bias": True,
    },
    "llama": {"attention_bias": True, "mlp_bias": True},
    "mistral": {"sliding_window": 2},
    "mixtral": {"num_local_experts": 4, "num_experts_per_tok": 2},
    "qwen3": {"attention_bias": True},
    "olmo3": {"sliding_window": 3, "num_hidden_layers": 4},
    "opt": {"ffn_dim": 43, "hidden_size": 36},
    "smollm3": {"no_rope_layer_interval": 2},
    "stablelm": {
        "hidden_size": 36,
        "use_qkv_bias": True,
        "partial_rotary_factor": 0.67,
    },
    "starcoder2": {"sliding_window": 3},
    "gpt_oss": {
        "num_local_experts": 4,
        "num_experts_per_tok": 2,
        "swiglu_limit": 0.4,
        "layer_types": ["sliding_attention", "full_attention"],
        "sliding_window": 3,
    },
    "llama4_text": {
        "num_local_experts": 4,
        "num_experts_per_tok": 2,
        "intermediate_size": 11,
        "intermediate_size_mlp": 43,
        "attention_chunk_size": 3,
        "floor_scale": 2,
        "attn_scale": 0.5,
        "moe_layers": [1],
        "no_rope_layers": [1, 0],
    },
    "phimoe": {
        "num_local_experts": 4,
        "num_experts_per_tok": 2,
        "attention_bias": True,
        "lm_head_bias": True,
        "router_jitter_noise": 0.4,
    },
    "internlm2": {"hidden_size": 36},
    "phi3": {"partial_rotary_factor": 0.67},
    "qwen3_5_text": LINEAR,
    "qwen3_next": LINEAR | EXPERTS | {"shared_expert_intermediate_size": 29},
    # One of both layers is dense.
    "qwen2_moe": EXPERTS | {"shared_expert_intermediate_size": 29},
    "qwen3_moe": EXPERTS | {"mlp_only_layers": [0], "norm_topk_prob": True},
}


def model_of(family: str, **changes: Any) -> ModelSpec:
    own = OF_FAMILY.get(family, {})
    sizes = own if family in ("gpt2", "gptj") else SIZES | own
    return model_from_config(sizes | {"model_type": family} | changes, name=family)


def executed(
    model: ModelSpec,
    strategy: str,
    *,
    chips: int = 8,
    batch: int = 2,
    prompt: int = 4,
    tokens: int = 1,
    prefill_chunk: int = 3,
) -> Execution:
    machine, wiring = load_machine(), select_topology(chips)
    split = parse_strategy(strategy, chips)
    encoder = model.structure.encoder
    context = 5 if encoder else max(prompt, 1) + tokens
    task = Task(model, machine, 1, context, batch).split_as(split)
    prepared = Prepared(
        scenario=Scenario(),
        model=model,
        machine=machine,
        topology=wiring,
        plan=plan_sharding(task, split, placed_chips(wiring, split)),
    )
    return run_execution(
        prepared, tokens=tokens, prompt=prompt, prefill_chunk=prefill_chunk
    )


def checked(model: ModelSpec, strategy: str, *, chips: int) -> Certificate:
    """Return the certificate of a token's schedule."""
    machine, wiring = load_machine(), select_topology(chips)
    split = parse_strategy(strategy, chips)
    task = Task(model, machine, 1, 4, 1).split_as(split)
    plan = plan_sharding(task, split, placed_chips(wiring, split))
    schedule = compile_token(plan, wiring)
    return verify(schedule.program, wiring, machine, plan=plan)


@pytest.mark.parametrize(
    ("family", "strategy"),
    [
        ("bert", "tensor=8"),
        ("bert", "tensor=4,pipeline=2,attention=2"),
        ("bloom", "tensor=8"),
        ("bloom", "tensor=1,pipeline=8"),
        ("cohere", "tensor=8"),
        ("cohere", "tensor=1,pipeline=8"),
        ("cohere2", "tensor=4,pipeline=2,attention=2"),
        ("falcon", "tensor=8"),
        ("falcon", "tensor=2,pipeline=4"),
        ("gpt_neox", "tensor=4,pipeline=2"),
        ("gpt_neox", "tensor=1,pipeline=8"),
        ("gptj", "tensor=8"),
        ("phi", "tensor=2,pipeline=4"),
        ("deepseek_v3", "tensor=6"),
        ("deepseek_v3", "tensor=2,pipeline=4,expert=2"),
        ("deepseek_v3", "tensor=8,attention=4"),
        ("gemma2", "tensor=8,layout=2d"),
        ("gemma2", "tensor=2,pipeline=4"),
        ("gemma2", "tensor=4,pipeline=2,attention=2"),
        ("gemma", "tensor=4,pipeline=2"),
        ("gemma3_text", "tensor=8"),
        ("gemma3_text", "tensor=2,pipeline=4"),
        ("glm4", "tensor=8"),
        ("gpt2", "tensor=8"),
        # Embedding, feed-forwards and head are cut between stages.
        ("gpt2", "tensor=1,pipeline=8"),
        ("granite", "tensor=1,pipeline=8"),
        ("granite", "tensor=4,pipeline=2,layout=2d"),
        ("llama", "tensor=8,attention=4,layout=2d"),
        ("llama", "tensor=2,pipeline=2,data=2"),
        ("mistral", "tensor=8"),
        ("mixtral", "tensor=8,expert=2,attention=4"),
        ("mixtral", "tensor=2,pipeline=4,expert=2"),
        ("olmo2", "tensor=8"),
        ("olmo2", "tensor=1,pipeline=8"),
        ("olmo3", "tensor=4,pipeline=2,attention=2"),
        ("opt", "tensor=4,pipeline=2"),
        ("arcee", "tensor=4,pipeline=2"),
        ("ernie4_5", "tensor=8"),
        ("seed_oss", "tensor=4,pipeline=2"),
        ("exaone4", "tensor=4,pipeline=2,attention=2"),
        ("internlm2", "tensor=4,pipeline=2,layout=2d"),
        ("nemotron", "tensor=2,pipeline=4"),
        ("olmoe", "tensor=8,expert=2"),
        ("granitemoe", "tensor=4,pipeline=2,expert=2"),
        ("phi3", "tensor=4,pipeline=2"),
        ("qwen2", "tensor=8"),
        ("qwen3", "tensor=8"),
        ("qwen3", "tensor=4,pipeline=2,layout=2d"),
        # Chips share the context of a head, whose sink is in one part of it.
        ("gpt_oss", "tensor=8,expert=2"),
        ("gpt_oss", "tensor=2,pipeline=4"),
        ("llama4_text", "tensor=8,expert=2"),
        ("llama4_text", "tensor=2,pipeline=4"),
        ("phimoe", "tensor=8,expert=2"),
        ("phimoe", "tensor=1,pipeline=8"),
        ("qwen2_moe", "tensor=8,expert=4"),
        ("qwen2_moe", "tensor=1,pipeline=8"),
        ("qwen2_moe", "tensor=4,pipeline=2,routing=all"),
        ("qwen3_moe", "tensor=4,pipeline=2,expert=2"),
        ("qwen3_5_text", "tensor=3"),
        ("qwen3_5_text", "tensor=8,attention=4,layout=2d"),
        ("qwen3_5_text", "tensor=2,pipeline=2,data=2"),
        ("qwen3_next", "tensor=4,pipeline=2,expert=2"),
        ("roberta", "tensor=2,pipeline=4"),
        ("smollm3", "tensor=8"),
        ("stablelm", "tensor=4,pipeline=2"),
        ("starcoder2", "tensor=8"),
    ],
)
def test_chips_compute_what_the_model_does(family: str, strategy: str) -> None:
    execution = executed(model_of(family), strategy)
    assert 0 < execution.difference < 1e-5
    checked(model_of(family), strategy, chips=8)
    assert np.array_equal(execution.tokens, execution.expected_tokens)


@pytest.mark.parametrize(
    ("strategy", "changes"),
    [
        # Two chips share the context of some heads.
        ("tensor=8", {"multi_query": False, "parallel_attn": False, "bias": True}),
        ("tensor=2,pipeline=4", {"new_decoder_architecture": True, "num_kv_heads": 3}),
    ],
)
def test_scores_fall_with_the_distance_by_the_slope_of_each_head(
    strategy: str, changes: dict[str, Any]
) -> None:
    model = model_of("falcon", alibi=True, **changes)
    assert executed(model, strategy, tokens=2).agrees(1e-5)
    checked(model, strategy, chips=8)


def test_heads_pass_where_there_is_neither_a_rotation_nor_a_bias() -> None:
    model = model_of("opt", enable_bias=False)
    assert executed(model, "tensor=8", tokens=2).agrees(1e-5)
    checked(model, "tensor=8", chips=8)


@pytest.mark.parametrize(
    ("strategy", "query_rank", "form"),
    [
        # Heads attend to latents, or to keys and values that are made of them.
        ("tensor=1,pipeline=8", 11, Function.ABSORB),
        ("tensor=1,pipeline=2", None, Function.ABSORB),
        ("tensor=3", 11, Function.EXPAND),
        ("tensor=4,pipeline=2,attention=2", None, Function.EXPAND),
        ("tensor=8,attention=4", 11, Function.EXPAND),
    ],
)
def test_latent_attention_computes_the_same_in_both_forms(
    strategy: str,
    query_rank: int | None,
    form: Function,
    latent_model: Callable[..., ModelSpec],
) -> None:
    model = latent_model(query_rank=query_rank)
    # More heads of a chip and sequences make latents the cheaper ones.
    batch = 4 if form is Function.ABSORB else 1
    execution = executed(model, strategy, batch=batch, tokens=2)
    assert execution.agrees(1e-5)
    plan = execution.prepared.plan
    schedule = compile_token(plan, execution.prepared.topology)
    flow = schedule.program.dataflow
    assert flow is not None
    assert form in flow.operations.function
    assert verify(
        schedule.program, execution.prepared.topology, plan.task.machine, plan=plan
    ).checks


@pytest.mark.parametrize(
    ("chips", "strategy"), [(24, "tensor=1,pipeline=24"), (32, "tensor=32")]
)
def test_wide_groups_and_many_stages_compute_the_same(
    chips: int, strategy: str
) -> None:
    # A prompt of three positions would take longer.
    execution = executed(model_of("qwen3"), strategy, chips=chips, prompt=0)
    assert execution.agrees(1e-5)


@pytest.mark.parametrize(
    ("family", "strategy", "chips"),
    [
        ("gemma2", "tensor=4,pipeline=2", 8),
        ("gpt2", "tensor=8", 8),
        ("llama", "tensor=2,pipeline=4", 8),
        ("qwen3", "tensor=8", 8),
        # Exchanges of several phases.
        ("qwen2", "tensor=24", 24),
    ],
)
def test_products_beside_exchanges_compute_the_same(
    family: str, strategy: str, chips: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Such small products gain nothing by it, and would not be cut.
    monkeypatch.setattr(
        LayerCache, "fastest", lambda own, block, *_: own.ways(block)[-1]
    )
    execution = executed(model_of(family), strategy, chips=chips, prompt=2)
    assert execution.agrees(1e-5)
    machine, wiring = load_machine(), select_topology(chips)
    split = parse_strategy(strategy, chips)
    task = Task(model_of(family), machine, 1, 4, 1).split_as(split)
    plan = plan_sharding(task, split, placed_chips(wiring, split))
    schedule = compile_token(plan, wiring)
    assert schedule.timeline.hidden_cycles > 0
    verify(schedule.program, wiring, machine, plan=plan)


def test_a_whole_rack_computes_the_same() -> None:
    model = model_of("llama", hidden_size=75, num_hidden_layers=1)
    execution = executed(model, "tensor=72,layout=2d", chips=72, prompt=0, batch=1)
    assert execution.agrees(1e-5)


@pytest.mark.parametrize("algorithm", [Algorithm.HIERARCHICAL, Algorithm.RING])
@pytest.mark.parametrize("strategy", ["tensor=24", "tensor=12,attention=6"])
def test_partial_sums_may_be_added_on_the_way(
    algorithm: Algorithm, strategy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What a chip keeps is not added on the way while products make it.
    monkeypatch.setattr(
        LayerCache, "fastest", lambda own, block, *_: own.ways(block)[-1]
    )

    def chosen(
        selector: ExchangeSelector, candidates: list[Candidate]
    ) -> list[Selected]:
        del selector
        wanted = [each for each in candidates if each.algorithm is algorithm]
        last = (wanted or candidates)[-1]
        return [Selected(last, last.phases(), 0, 0)]

    monkeypatch.setattr(ExchangeSelector, "selected", chosen)
    # Heads that all chips share are gathered, and their contexts scattered, as well.
    model, machine, wiring = model_of("qwen3"), load_machine(), select_topology(24)
    split = parse_strategy(strategy, 24)
    task = Task(model, machine, 1, 4, 1).split_as(split)
    plan = plan_sharding(task, split, placed_chips(wiring, split))
    program = compile_token(plan, wiring).program
    assert program.dataflow is not None
    added = program.dataflow.operations.function == Function.PARTIAL_SUM
    assert added.any()
    verify(program, wiring, machine, plan=plan)
    assert executed(model, strategy, chips=24).agrees(1e-5)


@pytest.mark.parametrize(("prompt", "chunk"), [(0, 0), (1, 0), (4, 1), (4, 4)])
def test_a_cache_that_grew_in_other_steps_gives_the_same(
    prompt: int, chunk: int
) -> None:
    model = model_of("mistral")
    execution = executed(
        model, "tensor=2", chips=2, prompt=prompt, prefill_chunk=chunk, tokens=2
    )
    assert execution.agrees(1e-5)
    assert execution.tokens.shape == (2, 2 + bool(prompt))


def test_a_vocabulary_of_fewer_rows_than_chips_is_enough() -> None:
    assert executed(model_of("llama", vocab_size=5), "tensor=8").agrees(1e-5)


def test_experts_may_have_biases() -> None:
    dense = model_of("llama")
    model = dense.model_copy(update={"experts": 2, "experts_per_token": 2})
    assert executed(model, "tensor=4,expert=2", chips=4).agrees(1e-5)


@pytest.mark.parametrize(
    ("router", "strategy"),
    [
        (RouterSpec(bias=True), "tensor=4,expert=2"),
        (RouterSpec(before_choice=True, normalised=True), "tensor=2,pipeline=2"),
        # The parts of a feed-forward in two stages choose by the same correction.
        (
            RouterSpec(
                scores=RouterScores.SIGMOID,
                normalised=True,
                scale=2.5,
                groups=2,
                group_best=2,
                correction=True,
            ),
            "tensor=1,pipeline=4",
        ),
    ],
)
def test_routers_choose_and_weigh_alike_on_all_chips(
    router: RouterSpec, strategy: str
) -> None:
    model = model_of("mixtral").model_copy(update={"router": router})
    assert executed(model, strategy, chips=4, prompt=0).agrees(1e-5)
    checked(model, strategy, chips=4)


def test_a_balanced_schedule_computes_what_it_drops_nothing_of() -> None:
    # All experts are chosen, so that every group has its even share.
    model = model_of("mixtral", num_experts_per_tok=4)
    strategy = "tensor=4,expert=4,routing=balanced"
    assert executed(model, strategy, chips=4).agrees(1e-5)
    with pytest.raises(VerificationError, match="some would be dropped"):
        executed(model_of("mixtral", num_experts_per_tok=1), strategy, chips=4)


@settings(max_examples=5)
@given(
    hidden=st.integers(8, 40),
    inner=st.integers(1, 40),
    kv_heads=st.integers(1, 5),
    shared=st.integers(1, 3),
    pairs=st.integers(1, 4),
    vocabulary=st.integers(2, 70),
    strategy=st.sampled_from(
        ("tensor=8", "tensor=4,pipeline=2", "tensor=2,pipeline=4", "tensor=8,layout=2d")
    ),
    family=st.sampled_from(("llama", "qwen3", "gemma2", "mixtral")),
)
def test_any_sizes_will_do(*, family: str, strategy: str, **sizes: int) -> None:
    if family == "mixtral":
        strategy = strategy.removesuffix(",layout=2d")
    kv_heads = sizes["kv_heads"]
    model = model_of(
        family,
        hidden_size=sizes["hidden"],
        intermediate_size=sizes["inner"],
        num_key_value_heads=kv_heads,
        num_attention_heads=kv_heads * sizes["shared"],
        head_dim=2 * sizes["pairs"],
        vocab_size=sizes["vocabulary"],
    )
    assert executed(model, strategy, batch=1).agrees(1e-5)


def test_models_and_machines_that_are_too_large_are_refused_with_a_way_out() -> None:
    with pytest.raises(PlanError, match=r"68,976,648,192 parameters.*; shrink it"):
        check_executable(load_model("llama-2-70b"), 8)
    with pytest.raises(PlanError, match=r"80 chips are too many .* --chips 72"):
        check_executable(model_of("llama"), 80)
