"""From a config.json to a finished run: everything either works or is refused."""

import json
from io import StringIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from experiments.report.run_report import print_report
from experiments.report.run_summary import summarise, summary
from experiments.run.preparation import plan_scenario
from experiments.run.scenario import run_scenario
from experiments.tables.scenario_rows import scenario_row
from sharding.planner.coverage import check_coverage
from specs.errors import RackError
from specs.families.catalogue import FAMILIES
from specs.model import load_model, model_names
from specs.scenario import Scenario

# Each shipped model on a machine that holds it.
MACHINES = {
    "bert-base": (8, "tensor=4,pipeline=2"),
    "bert-large": (8, "tensor=8,pipeline=1"),
    "gpt-oss-120b": (576, "tensor=8,pipeline=72"),
    "gpt-oss-20b": (128, "tensor=8,pipeline=16"),
    # Of these, the first layers.
    "deepseek-v3": (216, "tensor=72,pipeline=3"),
    "gpt2": (8, "tensor=4,pipeline=2"),
    "gpt2-xl": (16, "tensor=8,pipeline=2"),
    "phi-3-mini": (40, "tensor=8,pipeline=5"),
    "phi-3.5-moe": (256, "tensor=8,pipeline=32"),
    "qwen2.5-72b": (384, "tensor=8,pipeline=48"),
    "qwen2.5-72b-awq": (264, "tensor=8,pipeline=33"),
    "qwen2.5-7b": (64, "tensor=8,pipeline=8"),
    "qwen3.5-27b": (192, "tensor=8,pipeline=24"),
    "qwen2-57b-a14b": (288, "tensor=8,pipeline=36"),
    "qwen3-30b-a3b": (192, "tensor=8,pipeline=24"),
    "qwen3-32b": (192, "tensor=8,pipeline=24"),
    "qwen3-32b-fp8": (192, "tensor=8,pipeline=24"),
    "qwen3-8b": (72, "tensor=8,pipeline=9"),
    "roberta-base": (8, "tensor=2,pipeline=4"),
    "gemma-2-9b": (72, "tensor=8,pipeline=9"),
    "gemma-3-12b": (64, "tensor=8,pipeline=8"),
    "gemma-7b": (56, "tensor=8,pipeline=7"),
    "granite-3.2-8b": (40, "tensor=8,pipeline=5"),
    "llama-2-70b": (352, "tensor=8,pipeline=44"),
    "llama-2-7b": (64, "tensor=8,pipeline=8"),
    "llama-3-70b": (352, "tensor=8,pipeline=44"),
    "llama-3-8b": (72, "tensor=8,pipeline=9"),
    "llama-3.1-8b": (72, "tensor=8,pipeline=9"),
    "llama-3.1-405b": (2304, "tensor=8,pipeline=288"),
    "llama-4-scout": (576, "tensor=8,pipeline=72"),
    "mistral-7b": (64, "tensor=8,pipeline=8"),
    "mistral-small-3.1-24b": (112, "tensor=8,pipeline=14"),
    "olmo2-7b": (48, "tensor=8,pipeline=6"),
    "mixtral-8x7b": (264, "tensor=8,pipeline=33"),
    "kimi-k2": (128, "tensor=64,pipeline=2"),
}
# Layers are alike, and hundreds of experts of each of sixty take seconds to list.
FIRST_LAYERS = {"deepseek-v3": 4, "kimi-k2": 2}
LINEAR = {
    "linear_num_key_heads": 3,
    "linear_num_value_heads": 6,
    "linear_key_head_dim": 5,
    "linear_value_head_dim": 7,
    "linear_conv_kernel_dim": 2,
    "head_dim": 8,
    "num_experts": 4,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 12,
    "shared_expert_intermediate_size": 9,
}
LATENTS = {
    "q_lora_rank": 9,
    "kv_lora_rank": 10,
    "qk_rope_head_dim": 4,
    "qk_nope_head_dim": 7,
    "v_head_dim": 5,
    "n_routed_experts": 4,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 12,
    "n_group": 2,
    "topk_group": 1,
    "first_k_dense_replace": 1,
}
PLAN_ONLY = {
    "deepseek-v3",
    "kimi-k2",
    "gpt-oss-120b",
    "gpt-oss-20b",
    "llama-3.1-405b",
    # As llama-3-8b, but for the context it was trained for.
    "llama-3.1-8b",
    "llama-4-scout",
    "phi-3.5-moe",
    "qwen2-57b-a14b",
    "qwen2.5-72b",
    "qwen2.5-72b-awq",
    "qwen3-30b-a3b",
    "qwen3.5-27b",
}
# Families whose sizes have other keys.
OTHER_KEYS = {"gpt2", "gptj", "opt"}
EXPERTS = {"num_local_experts": 4, "num_experts_per_tok": 2}
SRAM_BYTES = (3 * 2**20, 220 * 2**20)


@st.composite
def configs(draw: st.DrawFn) -> dict[str, object]:
    family = draw(st.sampled_from(sorted(FAMILIES.keys() - OTHER_KEYS)))
    kv_heads = draw(st.integers(1, 4))
    heads = kv_heads * draw(st.integers(1, 3))
    layers = draw(st.integers(1, 5))
    linear = LINEAR | {"full_attention_interval": min(2, layers)}
    return {
        "model_type": family,
        "hidden_size": heads * draw(st.integers(4, 60)),
        "intermediate_size": draw(st.integers(16, 600)),
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": kv_heads,
        **(EXPERTS if family == "mixtral" else {}),
        **(LATENTS if FAMILIES[family].has_latents else {}),
        **(linear if FAMILIES[family].has_linear_layers else {}),
        "vocab_size": draw(st.integers(8, 600)),
        "max_position_embeddings": 3002,
        "sliding_window": draw(st.integers(1, 3000)),
    }


@st.composite
def scenarios(draw: st.DrawFn) -> Scenario:
    chips = draw(st.integers(8, 200))
    tensor = draw(st.sampled_from([t for t in range(1, 33) if chips % t == 0]))
    return Scenario(
        chips=chips,
        strategy=f"tensor={tensor},pipeline={chips // tensor}",
        context=draw(st.integers(1, 3000)),
        batch=draw(st.integers(1, 3)),
        sequences=draw(st.integers(1, 3)),
        tokens=2,
        seed=draw(st.integers(0, 2**32)),
        settings={"chip.sram_bytes": draw(st.sampled_from(SRAM_BYTES))},
    )


@settings(max_examples=25)
@given(
    config=configs(),
    asked=scenarios(),
)
def test_any_divisor_strategy_runs_without_violations_or_is_refused(
    tmp_path_factory: pytest.TempPathFactory,
    config: dict[str, object],
    asked: Scenario,
) -> None:
    path = tmp_path_factory.mktemp("model") / "config.json"
    path.write_text(json.dumps(config), encoding="utf-8")
    scenario = asked.model_copy(update={"model": str(path)})
    try:
        run = run_scenario(scenario)
    except RackError as error:
        assert str(error).strip()  # noqa: PT017
        return
    facts = summary(run)
    assert facts["violations"] == {"underflow": 0, "overflow": 0, "link_conflict": 0}
    assert facts["iteration"]["count"] == 2 * scenario.sequences
    spent = facts["iteration"]["breakdown_cycles"]
    assert sum(spent.values()) == facts["schedule"]["latency_cycles"]
    assert run.schedule.lower_bound_cycles <= run.schedule.latency_cycles
    assert run.prepared.plan.fullest_chip_bytes <= facts["plan"]["sram_bytes_per_chip"]
    latency_ns = facts["iteration"]["latency_ns"]
    # One epoch of 252 cycles at 900 MHz.
    assert latency_ns["max"] - latency_ns["min"] <= 280


def test_a_pass_of_an_encoder_is_an_iteration_without_a_token() -> None:
    scenario = Scenario(
        model="bert-base", chips=8, strategy="tensor=8", context=128, tokens=3
    )
    run = run_scenario(scenario)
    facts = summary(run)
    assert facts["iteration"]["count"] == 3
    assert set(facts["token"].values()) == {None}
    assert scenario_row(scenario)["tokens_per_s_per_user"] is None
    console = Console(width=80, record=True, file=StringIO())
    print_report(run, summarise(run), console)
    printed = console.export_text()
    assert "per pass" in printed
    assert "passes/s" in printed
    assert "tokens/s" not in printed


def test_every_shipped_model_has_a_machine() -> None:
    assert sorted(MACHINES) == [*model_names()]


@pytest.mark.parametrize("name", sorted(MACHINES.keys() - PLAN_ONLY))
def test_a_shipped_model_runs(name: str) -> None:
    chips, strategy = MACHINES[name]
    context = min(4096, load_model(name).max_context_tokens)
    scenario = Scenario(
        model=name, chips=chips, strategy=strategy, context=context, tokens=1
    )
    run = run_scenario(scenario)
    assert run.violations == 0
    assert run.result.tokens_lost == 0
    assert run.schedule.lower_bound_cycles <= run.schedule.latency_cycles


@pytest.mark.parametrize("name", sorted(PLAN_ONLY))
def test_a_shipped_model_can_be_planned(name: str) -> None:
    chips, strategy = MACHINES[name]
    few = FIRST_LAYERS.get(name)
    settings = {"model.layers": few} if few else {}
    prepared = plan_scenario(
        Scenario(model=name, chips=chips, strategy=strategy, settings=settings)
    )
    slices = prepared.plan.slices
    own = slices[~slices["tensor"].str.endswith("(copies)")]
    assert check_coverage(own) == prepared.model.parameters
    assert prepared.plan.fullest_chip_bytes <= prepared.machine.chip.sram_bytes
