"""Plans of any small model, for property tests."""

from random import Random

import numpy as np
from hypothesis import strategies as st

from sharding.parallelism.strategy import Strategy
from sharding.parallelism.tensor_group import FeedForwardLayout, Routing, grid_inputs
from sharding.planner.plan import ShardingPlan, plan_sharding
from sharding.weights.task import Task
from specs.families.catalogue import FAMILIES
from specs.formats import Format
from specs.machine import load_machine
from specs.model import ModelSpec
from specs.model_formats import ModelFormats, WeightGroup
from topologies.selection import select_topology

# Plain, and with scales for blocks that the cuts of a group do not respect.
FORMATS = ("int4", "fp8", "fp16", "nvfp4", "int4:7:zero", "fp8:5x6", "int8:row")


def _formats(random: Random) -> ModelFormats:
    """Return a format of its own for each group of a model's tensors."""
    formats = {group: random.choice((*FORMATS, "fp8:tensor")) for group in WeightGroup}
    return ModelFormats.model_validate({"method": "any", **formats})


@st.composite
def any_plans(draw: st.DrawFn) -> ShardingPlan:
    """Any small model in any split: experts, post-norms, 4-bit weights, teams."""
    family = draw(st.sampled_from(sorted(FAMILIES)))
    structure = FAMILIES[family]
    kv_heads = draw(st.integers(1, 4))
    experts = draw(st.integers(2, 4)) if family == "mixtral" else 1
    layers = draw(st.integers(1, 3))
    windowed = draw(st.sets(st.integers(0, layers - 1)))
    model = ModelSpec(
        name="small",
        family=family,
        hidden_size=draw(st.integers(24, 64)),
        intermediate_size=draw(st.integers(8, 80)),
        layers=layers,
        attention_heads=kv_heads * draw(st.integers(1, 3)),
        kv_heads=kv_heads,
        head_dim=draw(st.integers(1, 16)),
        vocabulary_size=draw(st.integers(8, 90)),
        tied_embeddings=draw(st.booleans()) and not structure.encoder,
        experts=experts,
        experts_per_token=min(2, experts),
        max_context_tokens=1024,
        qkv_biases=(draw(st.booleans()) and not structure.output_gates)
        or structure.biased,
        output_biases=draw(st.booleans()) and not structure.output_gates,
        feed_forward_biases=draw(st.booleans()),
        position_rows=1024 if structure.learned_positions else 0,
        token_types=2 if structure.encoder else 0,
        window_tokens=draw(st.integers(1, 40)) if windowed else None,
        windowed_layers=tuple(sorted(windowed)),
        block_order=structure.block_order,
        formats=draw(
            st.none() | st.builds(_formats, st.randoms(use_true_random=False))
        ),
        kv_cache=draw(st.sampled_from([None, None, Format.FP8])),
    )
    machine = load_machine().with_settings(
        {
            "formats.weights": draw(st.sampled_from(FORMATS)),
            "chip.operand_bytes": draw(st.integers(1, 2)),
            "clock.drift_ppm": draw(st.sampled_from([0, 10, 50, 200])),
            "fec.code": draw(st.sampled_from(["none", "secded"])),
        }
    )
    tensor = draw(st.sampled_from([1, 2, 3, 4, 6, 8, 12]))
    pipeline = draw(st.integers(1, 6))
    data = draw(st.sampled_from([1, 1, 2, 3]))
    divisors = [n for n in range(1, tensor) if tensor % n == 0]
    groups = [n for n in range(1, experts + 1) if experts % n == tensor % n == 0]
    expert = draw(st.sampled_from(groups)) if experts > 1 else 1
    in_a_grid = structure.normalises_inputs and not structure.layer_norms
    in_a_grid = in_a_grid and experts == 1 and grid_inputs(tensor) > 1
    strategy = Strategy(
        tensor=tensor,
        pipeline=pipeline,
        data=data,
        expert=expert,
        attention=draw(st.sampled_from([0, 0, *divisors])),
        layout=draw(st.sampled_from(FeedForwardLayout))
        if in_a_grid
        else FeedForwardLayout.ONE_D,
        routing=draw(st.sampled_from(Routing)) if expert > 1 else Routing.WORST,
    )
    task = Task(model, machine, 1, draw(st.integers(1, 64)), draw(st.integers(1, 2)))
    return plan_sharding(
        task.split_as(strategy),
        strategy,
        select_topology(strategy.chips).active.astype(np.int64),
        sequences=draw(st.sampled_from([1, 1, 2, 3, 7])),
    )


st.register_type_strategy(ShardingPlan, any_plans())
