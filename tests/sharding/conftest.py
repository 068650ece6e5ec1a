"""Small models of every family, and tasks with every split within a tensor group."""

import pytest
from hypothesis import strategies as st

from sharding.parallelism.tensor_group import FeedForwardLayout, Routing
from sharding.weights.task import Task
from specs.families.catalogue import FAMILIES
from specs.machine import load_machine
from specs.model import ModelSpec, load_model
from specs.model_formats import ModelFormats

ALL = tuple(sorted(FAMILIES))
# Families that allow a 2D layout.
SCALED = tuple(
    name
    for name in ALL
    if FAMILIES[name].normalises_inputs and not FAMILIES[name].layer_norms
)
MACHINE = load_machine()
# Blocks that the cuts of a group do not respect.
QUANTISED = ModelFormats.model_validate(
    {
        "method": "any",
        "embedding": "fp16",
        "attention": "int4:5:zero",
        "feed_forward": "fp8:3x4",
        "experts": "mxfp4",
        "shared_experts": "nvfp4",
        "head": "int8:row",
        "others": "bf16",
    }
)


@st.composite
def small_models(draw: st.DrawFn, *, families: tuple[str, ...] = ALL) -> ModelSpec:
    family = draw(st.sampled_from(families))
    structure = FAMILIES[family]
    kv_heads = draw(st.integers(1, 5))
    experts = draw(st.integers(2, 4)) if family == "mixtral" else 1
    layers = draw(st.integers(1, 3))
    windowed = draw(st.sets(st.integers(0, layers - 1)))
    return ModelSpec(
        name="small",
        family=family,
        hidden_size=draw(st.integers(24, 48)),
        intermediate_size=draw(st.integers(9, 40)),
        layers=layers,
        attention_heads=kv_heads * draw(st.integers(1, 3)),
        kv_heads=kv_heads,
        head_dim=draw(st.integers(1, 8)),
        vocabulary_size=draw(st.integers(8, 50)),
        tied_embeddings=draw(st.booleans()) and not structure.encoder,
        experts=experts,
        experts_per_token=min(2, experts),
        max_context_tokens=1024,
        qkv_biases=draw(st.booleans()) and not structure.output_gates,
        output_biases=draw(st.booleans()) and not structure.output_gates,
        feed_forward_biases=draw(st.booleans()),
        position_rows=1024 if structure.learned_positions else 0,
        token_types=2 if structure.encoder else 0,
        window_tokens=draw(st.integers(1, 40)) if windowed else None,
        windowed_layers=tuple(sorted(windowed)),
        block_order=structure.block_order,
        formats=draw(st.sampled_from([None, None, QUANTISED])),
    )


st.register_type_strategy(ModelSpec, small_models())


@st.composite
def tasks(draw: st.DrawFn) -> Task:
    """Draw tasks with expert groups, with alternating groups, and with 2D layouts."""
    split = draw(st.sampled_from(["rows", "experts", "grid"]))
    tensor = draw(st.sampled_from([1, 2, 3, 4, 6, 8, 12, 16]))
    if split == "experts":
        model = draw(small_models(families=("mixtral",)))
        groups = [n for n in range(1, 5) if model.experts % n == tensor % n == 0]
        expert = draw(st.sampled_from(groups))
        routing = draw(st.sampled_from(Routing)) if expert > 1 else Routing.WORST
        task = Task(model, MACHINE, tensor, 16, draw(st.integers(1, 5)))
        task = task._replace(expert=expert, routing=routing)
    elif split == "grid":
        families = tuple(name for name in SCALED if name != "mixtral")
        model = draw(small_models(families=families))
        tensor = draw(st.sampled_from([4, 6, 8, 9, 12, 16, 24]))
        task = Task(model, MACHINE, tensor, 16, 1, layout=FeedForwardLayout.TWO_D)
    else:
        task = Task(draw(small_models()), MACHINE, tensor, 16, 1)
    divisors = [n for n in range(1, tensor) if tensor % n == 0]
    return task._replace(attention=draw(st.sampled_from([0, *divisors])))


st.register_type_strategy(Task, tasks())


@pytest.fixture(scope="session")
def tiny() -> ModelSpec:
    """Return a Llama of two layers whose weights can be counted in the head."""
    return load_model("llama-2-7b").with_settings(
        {
            "hidden_size": 8,
            "intermediate_size": 12,
            "layers": 2,
            "attention_heads": 4,
            "kv_heads": 2,
            "head_dim": 2,
            "vocabulary_size": 6,
        }
    )
