from collections.abc import Callable

import numpy as np
import pytest

from sharding.parallelism.strategy import parse_strategy
from sharding.parallelism.tensor_group import FeedForwardLayout, group_of
from sharding.planner.coverage import check_coverage
from sharding.planner.plan import plan_sharding
from sharding.weights.group_slices import GroupSlices
from sharding.weights.latent_slices import latent_slices
from sharding.weights.task import Task
from specs.machine import load_machine
from specs.model import ModelSpec

Latent = Callable[..., ModelSpec]
AT = "model.layers.1.self_attn."


def held(
    model: ModelSpec, tensor: int, attention: int = 0
) -> dict[str, list[tuple[int, ...]]]:
    """Return row start and end, column start and end of each chip, by tensor."""
    assert model.latent is not None
    group = group_of(tensor, 1, attention, FeedForwardLayout.ONE_D)
    return {
        part.tensor: list(zip(*(edge.tolist() for edge in part[3:7]), strict=True))
        for part in latent_slices(GroupSlices(model, group), model.latent, 1)
    }


def test_latents_are_split_evenly_and_heads_whole(latent_model: Latent) -> None:
    slices = held(latent_model(), 2)
    # 11 rows of the latent of queries, 14 of that of keys and values; two heads a chip.
    assert slices[f"{AT}q_a_proj.weight"] == [(0, 5, 0, 64), (5, 11, 0, 64)]
    assert slices[f"{AT}kv_a_proj_with_mqa.weight"] == [(0, 7, 0, 64), (7, 14, 0, 64)]
    assert slices[f"{AT}q_b_proj.weight"] == [(0, 20, 0, 11), (20, 40, 0, 11)]
    assert slices[f"{AT}kv_b_proj.weight"] == [(0, 22, 0, 10), (22, 44, 0, 10)]
    assert slices[f"{AT}o_proj.weight"] == [(0, 64, 0, 10), (0, 64, 10, 20)]


def test_norms_of_latents_are_whole_on_every_chip(latent_model: Latent) -> None:
    slices = held(latent_model(), 2)
    assert slices[f"{AT}kv_a_layernorm.weight"] == [(0, 1, 0, 10), (0, 1, 0, 0)]
    assert slices[f"{AT}kv_a_layernorm.weight (copies)"][1] == (0, 1, 0, 10)
    assert slices[f"{AT}q_a_layernorm.weight"][0] == (0, 1, 0, 11)


def test_chips_without_heads_have_no_latents_either(latent_model: Latent) -> None:
    slices = held(latent_model(), 4, attention=2)
    # The second layer is on the second pair.
    for name in ("q_a_proj", "kv_a_proj_with_mqa", "q_b_proj", "kv_b_proj"):
        rows = [(end - start) for start, end, *_ in slices[f"{AT}{name}.weight"]]
        assert rows[:2] == [0, 0]
        assert min(rows[2:]) > 0


def test_queries_without_a_latent_are_split_by_heads(latent_model: Latent) -> None:
    slices = held(latent_model(query_rank=None), 4)
    assert slices[f"{AT}q_proj.weight"][3] == (30, 40, 0, 64)
    assert f"{AT}q_a_proj.weight" not in slices


@pytest.mark.parametrize("text", ["tensor=3", "tensor=4,pipeline=2", "tensor=4"])
def test_every_byte_is_on_one_chip(text: str, latent_model: Latent) -> None:
    model = latent_model()
    strategy = parse_strategy(text, 8)
    task = Task(model, load_machine(), 1, 8, 1).split_as(strategy)
    plan = plan_sharding(task, strategy, np.arange(strategy.chips))
    elements = check_coverage(plan.slices)
    copied = plan.slices["tensor"].str.contains("copies")
    table = plan.slices[~copied]
    own = (table["row_end"] - table["row_start"]) * (
        table["column_end"] - table["column_start"]
    )
    assert int(own.sum()) == model.parameters < elements
